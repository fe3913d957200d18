//! Start-up, shutdown, restart.
