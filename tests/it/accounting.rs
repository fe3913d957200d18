//! Every span is counted, whatever becomes of its collector, and no request is lost over it.
