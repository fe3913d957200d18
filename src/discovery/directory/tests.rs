use super::*;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

fn host(name: &str) -> Arc<str> {
    name.into()
}

fn found(addresses: &[&str]) -> Outcome {
    Outcome::Found(addresses.iter().map(|address| address.parse().unwrap()).collect())
}

fn addresses(texts: &[&str]) -> Resolution {
    Resolution::Addresses(texts.iter().map(|text| text.parse::<IpAddr>().unwrap()).collect())
}

/// Names with "a" in use and its first lookup started, at the returned time.
fn asked() -> (Names, Instant) {
    let (mut names, now) = (Names::default(), Instant::now());
    names.take(Request::Watch(host("a")), now);
    assert_eq!(names.start_due(now), Some(host("a")));
    assert_eq!(names.first_due(), None);
    (names, now)
}

#[test]
fn a_name_is_looked_up_at_once_and_again_after_the_refresh_time() {
    let (mut names, now) = asked();
    names.answer(&host("a"), found(&["10.0.0.1"]), now);
    assert_eq!(names.changed().unwrap().lookup("a"), Some(&addresses(&["10.0.0.1"])));
    assert_eq!(names.start_due(now + REFRESH - Duration::from_nanos(1)), None);
    assert_eq!(names.start_due(now + REFRESH), Some(host("a")));
}

#[test]
fn outcomes_replace_what_was_known_except_failures() {
    let failed = |why: &str| Outcome::Failed(why.to_owned());
    let steps = [
        (failed("one"), Some(Resolution::Failed("one".to_owned())), true),
        (failed("one"), Some(Resolution::Failed("one".to_owned())), false),
        (found(&["10.0.0.2", "10.0.0.1"]), Some(addresses(&["10.0.0.1", "10.0.0.2"])), true),
        (found(&["10.0.0.1", "10.0.0.2", "10.0.0.1"]), Some(addresses(&["10.0.0.1", "10.0.0.2"])), false),
        (failed("two"), Some(addresses(&["10.0.0.1", "10.0.0.2"])), false),
        (Outcome::NoSuchHost, Some(Resolution::Negative), true),
        (failed("three"), Some(Resolution::Negative), false),
        (found(&[]), Some(Resolution::Negative), false),
        (found(&["10.0.0.3"]), Some(addresses(&["10.0.0.3"])), true),
    ];
    let (mut names, now) = asked();
    for (step, (outcome, expected, changes)) in steps.into_iter().enumerate() {
        names.answer(&host("a"), outcome, now);
        assert_eq!(names.changed().is_some(), changes, "step {step}");
        assert_eq!(names.table.lookup("a"), expected.as_ref(), "step {step}");
        names.start_due(now + REFRESH).unwrap();
    }
}

#[test]
fn a_name_that_nobody_uses_leaves() {
    let (mut names, now) = asked();
    names.take(Request::Watch(host("a")), now);
    names.answer(&host("a"), found(&["10.0.0.1"]), now);
    names.take(Request::Release(host("a")), now);
    assert!(names.changed().unwrap().lookup("a").is_some(), "the other shard still uses it");
    names.take(Request::Release(host("a")), now);
    assert_eq!(names.changed().unwrap().lookup("a"), None);
    assert!(names.names.is_empty() && names.due.is_empty());
}

#[test]
fn an_answer_for_a_name_that_nobody_uses_is_not_published() {
    let (mut names, now) = asked();
    names.take(Request::Release(host("a")), now);
    names.answer(&host("a"), found(&["10.0.0.1"]), now);
    assert_eq!(names.changed(), None);
    assert!(names.names.is_empty() && names.due.is_empty());
}

#[test]
fn a_name_that_comes_back_during_its_lookup_is_not_looked_up_twice() {
    let (mut names, now) = asked();
    names.take(Request::Release(host("a")), now);
    names.take(Request::Watch(host("a")), now);
    assert_eq!(names.start_due(now), None);
    names.answer(&host("a"), found(&["10.0.0.1"]), now);
    assert!(names.changed().unwrap().lookup("a").is_some());
}

/// Runs `test` beside a directory of two shards with `resolver`.
fn with_directory<F: Future<Output = ()>>(
    resolver: Resolver,
    test: impl FnOnce(Vec<Watcher>, Vec<Arc<Signal>>) -> F,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let signals = vec![Arc::<Signal>::default(), Arc::default()];
    let (directory, watchers) = Directory::new(&signals);
    runtime.block_on(async {
        let running = tokio::spawn(directory.run(resolver));
        test(watchers, signals).await;
        running.await.unwrap();
    });
}

#[test]
fn shards_that_ask_the_same_share_one_lookup_and_are_both_woken() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let resolver = Resolver::with(move |host| {
        log.lock().unwrap().push(host.to_string());
        async { found(&["192.0.2.1"]) }
    });
    with_directory(resolver, |watchers, signals| async move {
        let before = watchers[0].generation();
        for watcher in &watchers {
            watcher.watch("web").unwrap();
        }
        for (watcher, signal) in watchers.iter().zip(&signals) {
            assert_eq!(signal.wait().await, Signal::ADDRESSES);
            assert!(watcher.generation() > before);
            assert_eq!(watcher.table().lookup("web"), Some(&addresses(&["192.0.2.1"])));
        }
        assert_eq!(*asked.lock().unwrap(), ["web"]);
    });
}

#[test]
fn a_released_name_leaves_the_table_of_every_shard() {
    let resolver = Resolver::with(|_| async { Outcome::NoSuchHost });
    with_directory(resolver, |watchers, signals| async move {
        watchers[0].watch("web").unwrap();
        signals[1].wait().await;
        assert_eq!(watchers[1].table().lookup("web"), Some(&Resolution::Negative));
        watchers[0].release("web");
        signals[1].wait().await;
        assert_eq!(watchers[1].table().lookup("web"), None);
    });
}

#[test]
fn lookups_in_flight_are_limited_and_all_names_get_their_turn() {
    const NAMES: usize = LOOKUPS_IN_FLIGHT + 50;
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let gate = Arc::new(Semaphore::new(0));
    let (running_there, most_there, gate_there) =
        (Arc::clone(&running), Arc::clone(&most), Arc::clone(&gate));
    let resolver = Resolver::with(move |_| {
        let (running, most, gate) =
            (Arc::clone(&running_there), Arc::clone(&most_there), Arc::clone(&gate_there));
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            gate.acquire().await.unwrap().forget();
            running.fetch_sub(1, Ordering::SeqCst);
            found(&["192.0.2.1"])
        }
    });
    with_directory(resolver, |watchers, signals| async move {
        for name in 0..NAMES {
            watchers[0].watch(&name.to_string()).unwrap();
        }
        while running.load(Ordering::SeqCst) < LOOKUPS_IN_FLIGHT {
            tokio::task::yield_now().await;
        }
        gate.add_permits(NAMES);
        let answered = |table: Arc<Table>| (0..NAMES).all(|name| table.lookup(&name.to_string()).is_some());
        while !answered(watchers[0].table()) {
            signals[0].wait().await;
        }
        assert_eq!(most.load(Ordering::SeqCst), LOOKUPS_IN_FLIGHT);
    });
}
