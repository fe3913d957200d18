//! What the proxy answers when it cannot serve a request, and what becomes of the connections then.

mod broken;
mod explained;
mod pooled;
