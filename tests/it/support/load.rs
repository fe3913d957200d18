//! Many callers at once.

use super::raw::{Raw, get_request};
use std::net::SocketAddr;
use std::thread;

/// Sends `each` GETs for `path` one after the other on each of `connections` connections, all of which must be
/// answered with 200.
#[track_caller]
pub(crate) fn run(address: SocketAddr, connections: usize, each: usize, path: &str) {
    let request = get_request(path, "");
    let lost: usize = thread::scope(|scope| {
        let callers: Vec<_> = (0..connections)
            .map(|_| {
                scope.spawn(|| {
                    let mut caller = Raw::connect(address);
                    (0..each).filter(|_| caller.exchange(&request).status() != 200).count()
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().expect("every request is answered")).sum()
    });
    assert_eq!(lost, 0, "requests that were not answered with 200");
}
