use super::*;
use crate::discovery::{Directory, Outcome, Resolver};
use crate::signal::Signal;
use std::sync::Mutex;
use std::time::Duration;
use tokio::runtime;

const PORT: u16 = 80;
/// Far more than any test takes; ends one that waits in vain.
const PATIENCE: Duration = Duration::from_secs(20);

fn named(watcher: &Rc<Watcher>) -> Client {
    let origin = name::Destination::Inet { host: Host::parse("web").unwrap(), port: PORT };
    Client::new("/$/inet/web/80".to_owned(), origin, Rc::clone(watcher), Arc::default())
}

fn found(ips: &[&str]) -> Outcome {
    Outcome::Found(ips.iter().map(|ip| ip.parse().unwrap()).collect())
}

/// What a client knows, as text.
fn told(client: &Client) -> String {
    match client.addresses() {
        Addresses::Pending => "pending".to_owned(),
        Addresses::Known(_) => client.print_all().join(" "),
        Addresses::Failed(text) => format!("failed: {text}"),
    }
}

/// A directory whose lookups have these outcomes, one after the other.
struct Script {
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    signal: Arc<Signal>,
    watcher: Rc<Watcher>,
}

impl Script {
    /// Makes the directory answer `outcome`, and waits for it to be published.
    ///
    /// The name leaves the directory and comes back in between, which saves waiting for its next refresh.
    async fn answer(&self, outcome: Outcome) {
        self.outcomes.lock().unwrap().push(outcome);
        if self.watcher.table().lookup("web").is_some() {
            self.watcher.release("web");
            while self.watcher.table().lookup("web").is_some() {
                self.signal.wait().await;
            }
            self.watcher.watch("web").unwrap();
        }
        while self.watcher.table().lookup("web").is_none() {
            self.signal.wait().await;
        }
    }
}

/// Runs `test` with a client of a name, beside the directory that looks it up.
fn with_named_client<F: Future<Output = ()>>(test: impl FnOnce(Script, Client) -> F) {
    let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let signal = Arc::<Signal>::default();
    let (directory, mut watchers) = Directory::new(&[Arc::clone(&signal)]);
    let watcher = Rc::new(watchers.pop().unwrap());
    let outcomes = Arc::<Mutex<Vec<Outcome>>>::default();
    let next = Arc::clone(&outcomes);
    let resolver = Resolver::with(move |_| {
        let next = Arc::clone(&next);
        async move {
            loop {
                if let Some(outcome) = next.lock().unwrap().pop() {
                    return outcome;
                }
                tokio::task::yield_now().await;
            }
        }
    });
    runtime.block_on(async {
        let running = tokio::spawn(directory.run(resolver));
        let client = named(&watcher);
        let test = test(Script { outcomes, signal, watcher }, client);
        tokio::time::timeout(PATIENCE, test).await.expect("what the test waits for has to come");
        running.await.unwrap();
    });
}

#[test]
fn a_literal_address_is_known_at_once_and_a_bad_host_has_failed_at_once() {
    let (_, mut watchers) = Directory::new(&[Arc::<Signal>::default()]);
    let watcher = Rc::new(watchers.pop().unwrap());
    for (origin, expected) in [
        (name::Destination::Inet { host: Host::LOOPBACK, port: PORT }, "127.0.0.1:80"),
        (
            name::Destination::Failed { reason: "Not a host name: a..b".into() },
            "failed: Not a host name: a..b",
        ),
    ] {
        let client = Client::new("/id".to_owned(), origin, Rc::clone(&watcher), Arc::default());
        assert_eq!(told(&client), expected);
    }
}

#[test]
fn a_client_follows_what_is_published_about_its_name() {
    with_named_client(async |script, client| {
        assert_eq!(told(&client), "pending");
        for (outcome, expected) in [
            (Outcome::Failed("no answer".into()), "failed: no answer"),
            (found(&["10.0.0.1", "10.0.0.2"]), "web/10.0.0.1:80 web/10.0.0.2:80"),
            (found(&["10.0.0.2", "10.0.0.3"]), "web/10.0.0.2:80 web/10.0.0.3:80"),
            (Outcome::Failed("no answer".into()), "web/10.0.0.2:80 web/10.0.0.3:80"),
            (Outcome::NoSuchHost, ""),
            (found(&["10.0.0.1"]), "web/10.0.0.1:80"),
        ] {
            let what = format!("{outcome:?}");
            script.answer(outcome).await;
            assert_eq!(told(&client), expected, "{what}");
        }
    });
}

#[test]
fn an_address_that_stays_keeps_its_load_and_its_connections() {
    with_named_client(async |script, client| {
        let destinations = |client: &Client| match client.addresses() {
            Addresses::Known(known) => known,
            other => panic!("{other:?}"),
        };
        script.answer(found(&["10.0.0.1", "10.0.0.2"])).await;
        let before = destinations(&client);
        let _serving = before[1].begin();
        script.answer(found(&["10.0.0.2", "10.0.0.3"])).await;
        let after = destinations(&client);
        assert!(Rc::ptr_eq(&before[1], &after[0]));
        assert_eq!([after[0].load(), after[1].load()], [1, 0]);
    });
}

#[test]
fn a_client_that_ends_gives_its_name_back() {
    with_named_client(async |script, client| {
        script.answer(found(&["10.0.0.1"])).await;
        drop(client);
        while script.watcher.table().lookup("web").is_some() {
            script.signal.wait().await;
        }
    });
}

#[test]
fn a_name_that_could_not_be_asked_for_is_asked_for_again() {
    let (directory, mut watchers) = Directory::new(&[Arc::<Signal>::default()]);
    let watcher = Rc::new(watchers.pop().unwrap());
    let names: Vec<_> = (0..).map(|n| n.to_string()).take_while(|name| watcher.watch(name).is_ok()).collect();
    let client = named(&watcher);
    assert_eq!(told(&client), "failed: too many names wait to be resolved, web could not be asked for");
    // The directory takes its messages, and one name leaves.
    let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let running = tokio::spawn(directory.run(Resolver::with(|_| async { Outcome::NoSuchHost })));
        watcher.release(&names[0]);
        let asked = async {
            while told(&client) != "pending" {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.expect("there is room for the name");
        drop((client, watcher));
        running.await.unwrap();
    });
}
