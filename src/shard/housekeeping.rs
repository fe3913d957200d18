//! What a shard does beside requests: deadlines, batches of spans that are due, connections and names that nobody
//! needs any more.

use crate::net::Deadlines;
use crate::router::Router;
use crate::server::Shared;
use std::rc::Rc;

/// Runs until the shard ends.
pub(super) async fn run(shared: Rc<Shared>, routers: Vec<Rc<Router>>) {
    let mut turn: u32 = 0;
    loop {
        glommio::timer::sleep(Deadlines::TICK).await;
        turn = turn.wrapping_add(1);
        let now = shared.clock.now();
        shared.deadlines.tick(now);
        if shared.spans.due(now) {
            shared.spans.hand_over();
        }
        if turn.is_multiple_of(SWEEP_TURNS) {
            for router in &routers {
                router.refresh_clients();
            }
        }
        if turn.is_multiple_of(EXPIRE_TURNS) {
            for router in &routers {
                router.expire(now);
            }
        }
    }
}

/// Idle connections that their destination has closed are dropped once a second.
const SWEEP_TURNS: u32 = 20;
/// Names that nobody has used are given up once a minute.
const EXPIRE_TURNS: u32 = 60 * SWEEP_TURNS;
