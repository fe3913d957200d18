//! What the vectors of the data path are run with: messages, routers and services.

use super::entry::list;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use ringspan::client::Client;
use ringspan::discovery::{Directory, Watcher};
use ringspan::http1::{HeadError, Header, Limits, Parsed};
use ringspan::name::{Destination, Dtab, Host, Path};
use ringspan::router::{Fault, Leaf, Route, Router, RouterParams, Service};
use ringspan::signal::Signal;
use std::fmt::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use toml::{Table, Value};

/// Header lines: names and values.
pub type Lines = Vec<(String, String)>;

/// The pairs under `key`.
pub fn lines<'e>(entry: &'e Table, key: &str) -> Result<Vec<(&'e str, &'e str)>, String> {
    let pair = |pair: &'e Value| match list(pair)?[..] {
        [name, value] => Some((name, value)),
        _ => None,
    };
    let pairs = entry.get(key).and_then(Value::as_array).ok_or_else(|| format!("no list under {key:?}"))?;
    let pairs: Option<_> = pairs.iter().map(pair).collect();
    pairs.ok_or_else(|| format!("no list of pairs under {key:?}"))
}

/// The lines of a parsed head.
pub fn owned(headers: &[Header<'_>]) -> Lines {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    headers.iter().map(|header| (text(header.name), text(header.value))).collect()
}

/// The values of all lines of this name.
pub fn values<'l>(lines: &'l Lines, name: &str) -> Vec<&'l str> {
    lines.iter().filter(|line| line.0.eq_ignore_ascii_case(name)).map(|line| &*line.1).collect()
}

/// A head that begins with `first`.
pub fn message(first: &str, headers: &[(&str, &str)]) -> String {
    let mut message = format!("{first}\r\n");
    for (name, value) in headers {
        // Writing into a String cannot fail.
        let _ = write!(message, "{name}: {value}\r\n");
    }
    message + "\r\n"
}

/// The head, if all of it was there and it is valid.
pub fn complete<T>(parsed: Result<Parsed<T>, HeadError>) -> Result<T, String> {
    match parsed {
        Ok(Parsed::Complete { head, .. }) => Ok(head),
        Ok(Parsed::NeedMore) => Err("the head is not complete".to_owned()),
        Err(error) => Err(format!("the head is refused: {} {error}", error.status)),
    }
}

/// A router with this dtab that has bound nothing yet.
pub fn router(dtab: &str, dst_prefix: &str) -> Result<Router, String> {
    let params = RouterParams {
        label: "vectors".to_owned(),
        dtab: Dtab::parse(dtab).map_err(|error| error.to_string())?,
        dst_prefix: Path::parse(dst_prefix).map_err(|error| error.to_string())?,
        servers: Vec::new(),
        binding_timeout: Duration::from_secs(10),
        limits: Limits::default(),
    };
    Ok(Router::new(params, watcher()?, Arc::default()))
}

/// A service of this name that leads to one client.
pub fn service(name: &str, client: &str, residual: &str) -> Result<Service, String> {
    let origin = Destination::Inet { host: Host::LOOPBACK, port: 1 };
    let metrics = Arc::default();
    let client = Rc::new(Client::new(client.to_owned(), origin, watcher()?, metrics));
    let leaf = Leaf::new("vectors", client, residual.to_owned());
    Ok(Service::new("vectors", name.to_owned(), "", Route::Leaf(Rc::new(leaf))))
}

/// The client for a request, or what is answered without one.
pub fn pick(service: &Service, base_dtab: impl Fn() -> String) -> Result<Rc<Leaf>, Fault> {
    service.pick(&mut SmallRng::seed_from_u64(1), base_dtab).map(Rc::clone)
}

/// No vector of the data path has a host name to look up.
fn watcher() -> Result<Rc<Watcher>, String> {
    let (_, mut watchers) = Directory::new(&[Arc::<Signal>::default()]);
    watchers.pop().map(Rc::new).ok_or_else(|| "no watcher".to_owned())
}
