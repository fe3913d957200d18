//! What a trace is: ids, the context that travels in headers, sampling, and spans from the moment they are recorded until
//! they leave their shard in a batch. How spans look on the way to a collector is `zipkin/`; who takes them there is
//! `flusher/`.

mod batch;
mod buffer;
mod context;
mod id;
mod notes;
mod record;
mod sampler;
mod tag;

pub use batch::{Batch, MAX_BATCH_BYTES, Position};
pub use buffer::{HAND_OVER_AGE, HAND_OVER_BYTES, HAND_OVER_SPANS, Outlet, ShardCounts, SpanBuffer};
pub use context::{Decide, Decision, TraceContext, parse_sample, receive, send};
pub use id::{SpanId, TraceId, hex16};
pub use notes::{MAX_NOTES_BYTES, MAX_VALUE_BYTES, Notes};
pub use record::{Kind, Site, SiteParts, SpanHead, SpanName, SpanRecord};
pub use sampler::{MAX_TELEMETERS, Sampler, Samplers, compat};
pub use tag::{Note, Tag};
