//! The trace viewer in a real browser: headless Chromium, driven through chromedriver's WebDriver interface.
//!
//! Needs `chromium` and `chromedriver` (Debian: `apt-get install -y chromium chromium-driver`). With
//! `RINGSPAN_SKIP_BROWSER=1` the tests say that they are skipped. With `RINGSPAN_SCREENSHOTS=docs` the pictures of the
//! documentation are taken anew.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test end it when they fail"
)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ringspan::clock::Clock;
use ringspan::collector::{Collector, CollectorParams};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

#[test]
fn the_list_shows_a_trace_and_leads_to_its_waterfall() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start();
    server.post(&three_hops(0xabc1, 18_000));
    server.post(&three_hops(0xabc2, 4_000));

    browser.open(&server.url("/"));
    let results = browser.wait_for(
        "const found = [...document.querySelectorAll('.result')];
         return found.length === 2 && found.map((result) => result.innerText);",
    );
    let first = results[0].as_str().unwrap();
    for part in ["router1 /svc/localhost:9000", "4ms", "6 spans", "router2", "router3", "$/inet/127.1/9990"] {
        assert!(first.contains(part), "{part:?} is not in {first:?}");
    }
    assert!(results[1].as_str().unwrap().contains("18ms"));
    browser.screenshot("traces.png", 680);

    browser.click(".results li:nth-child(2) a");
    let rows = browser.wait_for(
        "const rows = [...document.querySelectorAll('.row')];
         return rows.length > 0 && rows.map((row) => ({
           service: row.querySelector('.service bdi').textContent, name: row.querySelector('.name').textContent,
           duration: row.querySelector('.duration').textContent,
           left: row.querySelector('.who').getBoundingClientRect().left + parseFloat(getComputedStyle(row.querySelector('.who')).paddingLeft),
           bar: row.querySelector('.bar').getBoundingClientRect().toJSON() }));",
    );
    let rows = rows.as_array().unwrap();
    let column = |key: &str| rows.iter().map(|row| row[key].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(column("service"), ["router1", "router1", "router2", "router2", "router3", "router3"]);
    assert_eq!(column("name")[0], "router1 /svc/localhost:9000");
    assert_eq!(column("name")[5], "get /admin/ping");
    assert_eq!(column("duration"), ["18ms", "15ms", "11ms", "9ms", "6ms", "3ms"]);
    for pair in rows.windows(2) {
        let number = |row: &Value, key: &str| row["bar"][key].as_f64().unwrap();
        assert!(pair[1]["left"].as_f64() > pair[0]["left"].as_f64(), "a child is indented");
        assert!(number(&pair[1], "left") > number(&pair[0], "left"), "a child's bar begins later");
        assert!(number(&pair[1], "right") < number(&pair[0], "right"), "a child's bar ends earlier");
        assert!(number(&pair[1], "width") >= 3.0, "every bar can be seen");
    }

    browser.click(".spans li:nth-child(6) .row");
    let details = browser.wait_for(
        "const panel = document.querySelector('.details');
         return panel && [...panel.querySelectorAll('tr')].map((row) => [...row.cells].map((cell) => cell.textContent));",
    );
    let rows: Vec<Vec<String>> = serde_json::from_value(details).unwrap();
    assert!(rows.contains(&vec!["http.rsp.status".to_owned(), "200".to_owned()]), "{rows:?}");
    assert!(
        rows.contains(&vec!["Server Address".into(), "127.0.0.1:9990 ($/inet/127.1/9990)".into()]),
        "{rows:?}"
    );
    let events: Vec<_> = rows.iter().filter(|row| row.len() == 4).map(|row| row[2].as_str()).collect();
    assert_eq!(events, ["Annotation", "Client Start", "Wire Send", "Wire Receive", "Client Finish"]);
    browser.screenshot("waterfall.png", 1_060);

    let address = browser.run("return location.href;");
    assert!(
        address.as_str().unwrap().ends_with("#0000000000000006"),
        "the open span is in the address: {address}"
    );
    browser.run(
        "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', bubbles: true}));",
    );
    assert_eq!(browser.run("return document.querySelectorAll('.details').length;"), 0);
}

#[test]
fn a_search_is_in_the_address_and_leaves_out_what_does_not_match() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start();
    server.post(&three_hops(0xabc1, 18_000));
    server.post(&three_hops(0xabc2, 4_000));

    browser.open(&server.url("/zipkin/?serviceName=router2&minDuration=10ms"));
    let count = "const found = document.querySelectorAll('.result').length;";
    browser.wait_for(&format!("{count} return found === 1;"));
    browser.run("const field = document.querySelector('[name=minDuration]'); field.value = '1ms'; field.form.requestSubmit();");
    browser.wait_for(&format!("{count} return found === 2;"));
    let address = browser.run("return location.search;");
    assert_eq!(address, "?serviceName=router2&minDuration=1ms");
    let names =
        browser.run("return [...document.querySelectorAll('#span-names option')].map((name) => name.value);");
    assert_eq!(names, json!(["get /admin/ping", "router2 /svc/localhost:9000"]));
}

#[test]
fn hostile_text_is_shown_as_text() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start();
    let hostile = "</title><script>document.title='owned'</script>\"'><img src=x onerror=\"document.title='owned'\">\u{202e}gnp";
    server.post(&json!([{
        "traceId": "e1", "id": "e1", "kind": "SERVER", "name": hostile, "timestamp": now_us(), "duration": 5,
        "localEndpoint": {"serviceName": hostile}, "annotations": [{"timestamp": now_us(), "value": hostile}],
        "tags": {hostile: hostile, "__proto__": "x", "error": hostile},
    }]));

    browser.open(&server.url("/zipkin/"));
    let shown = browser.wait_for("return document.querySelector('.result .root')?.textContent;");
    assert_eq!(shown, format!("{0} {0}", hostile.to_lowercase()));
    browser.click(".result");
    browser.wait_for("return document.querySelector('.row');");
    browser.click(".row");
    let cells = browser.wait_for(
        "const cells = [...document.querySelectorAll('.details td')];
         return cells.length > 0 && cells.map((cell) => cell.textContent);",
    );
    let hostile_cells = cells.as_array().unwrap().iter().filter(|cell| **cell == *hostile).count();
    assert_eq!(hostile_cells, 7, "an annotation, three addresses, a key and two values: {cells}");
    assert!(cells.as_array().unwrap().iter().any(|cell| cell == "__proto__"), "{cells}");
    let harm = browser.run(
        "return {title: document.title, images: document.querySelectorAll('main img').length,
                 scripts: document.querySelectorAll('script').length};",
    );
    assert!(!harm["title"].as_str().unwrap().starts_with("owned"), "{harm}");
    assert_eq!((&harm["images"], &harm["scripts"]), (&json!(0), &json!(1)));
}

#[test]
fn an_empty_list_fills_by_itself() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start();
    browser.open(&server.url("/zipkin/"));
    browser.wait_for("return document.querySelector('#empty:not([hidden])');");
    server.post(&three_hops(0xabc1, 18_000));
    browser.wait_for("return document.querySelector('.result');");
    assert_eq!(browser.run("return document.getElementById('empty').hidden;"), true);
}

/// The tutorial's six spans in one chain, a moment ago.
fn three_hops(trace_id: u64, duration_us: u64) -> Value {
    // Offset and duration of each span in eighteenths of the whole.
    let times = [(0, 18), (2, 15), (4, 11), (5, 9), (6, 6), (8, 3)];
    let start_us = now_us() - 2 * duration_us;
    let spans = times.iter().zip(1_u64..).map(|((offset, length), id)| {
        let hop = id.div_ceil(2);
        let is_server = id % 2 == 1;
        let (here, next) = (8_999 + hop, if hop == 3 { 9_990 } else { 9_000 + hop });
        let (timestamp, duration) = (start_us + duration_us * offset / 18, duration_us * length / 18);
        let mut span = json!({
            "traceId": format!("{trace_id:x}"), "id": format!("{id:x}"), "timestamp": timestamp, "duration": duration,
            "kind": if is_server { "SERVER" } else { "CLIENT" },
            "name": if is_server { format!("router{hop} /svc/localhost:9000") } else { "GET /admin/ping".to_owned() },
            "localEndpoint": {"serviceName": format!("router{hop}"), "ipv4": "127.0.0.1"},
        });
        if id > 1 {
            span["parentId"] = json!(format!("{:x}", id - 1));
        }
        if is_server {
            span["localEndpoint"]["port"] = json!(here);
            span["tags"] = json!({"router.label": format!("router{hop}"), "service": "/svc/localhost:9000",
                "client": format!("/$/inet/127.1/{next}"), "residual": "/localhost:9000"});
        } else {
            span["remoteEndpoint"] = json!({"serviceName": format!("$/inet/127.1/{next}"), "ipv4": "127.0.0.1", "port": next});
            span["annotations"] = json!([{"timestamp": timestamp + duration / 10, "value": "ws"},
                {"timestamp": timestamp + duration * 9 / 10, "value": "wr"}]);
            span["tags"] = json!({"http.uri": "/admin/ping", "http.req.method": "GET", "http.req.host": "localhost:9000",
                "http.req.version": "HTTP/1.1", "http.rsp.status": "200", "http.rsp.version": "HTTP/1.1",
                "http.rsp.content-type": "text/plain", "http.rsp.content-length": "4", "l5d.success": "1.0"});
        }
        span
    });
    spans.collect()
}

fn now_us() -> u64 {
    let clock = Clock::start();
    clock.wall_us(clock.now())
}

/// A collector on a port of its own.
struct Server {
    address: SocketAddr,
    _collector: Collector,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let collector = Collector::start(&CollectorParams::default(), listener, Clock::start()).unwrap();
        Self { address: collector.local_addr(), _collector: collector }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn post(&self, spans: &Value) {
        let (status, body) = exchange(self.address, "POST", "/api/v2/spans", &spans.to_string());
        assert_eq!(status, 202, "{body}");
    }
}

/// One browser at a time: the machine may be small.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Chromium, with an empty profile, under a chromedriver of its own.
struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    _profile: tempfile::TempDir,
    _turn: std::sync::MutexGuard<'static, ()>,
}

impl Browser {
    /// None when the tests are to be skipped.
    fn start() -> Option<Self> {
        if std::env::var("RINGSPAN_SKIP_BROWSER").is_ok_and(|value| value == "1") {
            println!("skipped: RINGSPAN_SKIP_BROWSER=1");
            return None;
        }
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let driver =
            Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut driver =
            driver.unwrap_or_else(|error| panic!("chromedriver does not start ({error}): {INSTALL}"));
        let output = BufReader::new(driver.stdout.take().unwrap());
        let port = output.lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let address = SocketAddr::from(([127, 0, 0, 1], port.expect("chromedriver prints its port")));
        let profile = tempfile::tempdir().unwrap();
        let mut options = json!({"args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
            "--window-size=1240,860", format!("--user-data-dir={}", profile.path().display()),
        ]});
        if let Some(chromium) = installed(&["chromium", "chromium-browser", "google-chrome"]) {
            options["binary"] = json!(chromium);
        }
        let mut browser = Self { driver, address, session: String::new(), _profile: profile, _turn: turn };
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options, "timeouts": {"script": 20_000},
        }}});
        let (status, answer) = exchange(address, "POST", "/session", &wanted.to_string());
        assert_eq!(status, 200, "Chromium does not start: {INSTALL}\n{answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        browser.session = answer["value"]["sessionId"].as_str().unwrap().to_owned();
        Some(browser)
    }

    fn open(&self, url: &str) {
        self.command("url", &json!({"url": url}));
    }

    fn click(&self, selector: &str) {
        let found = self.command("element", &json!({"using": "css selector", "value": selector}));
        let element =
            found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str).unwrap();
        self.command(&format!("element/{element}/click"), &json!({}));
    }

    /// What the body of a function in the page returns.
    fn run(&self, script: &str) -> Value {
        self.command("execute/sync", &json!({"script": script, "args": []}))
    }

    /// The same, again and again until it is something true; the page looks at itself, so nothing sleeps here.
    fn wait_for(&self, script: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; const look = () => {{ {script} }};
             const again = () => {{ const seen = look(); if (seen) done(seen); else setTimeout(again, 20); }}; again();"
        );
        self.command("execute/async", &json!({"script": script, "args": []}))
    }

    /// Takes a picture of the page for the documentation, if that is wanted.
    fn screenshot(&self, name: &str, height: u32) {
        if let Ok(folder) = std::env::var("RINGSPAN_SCREENSHOTS") {
            self.command("window/rect", &json!({"width": 1_240, "height": height}));
            let (_, answer) =
                exchange(self.address, "GET", &format!("/session/{}/screenshot", self.session), "");
            let answer: Value = serde_json::from_str(&answer).unwrap();
            let png = BASE64.decode(answer["value"].as_str().unwrap()).unwrap();
            std::fs::write(format!("{folder}/{name}"), png).unwrap();
        }
    }

    fn command(&self, command: &str, arguments: &Value) -> Value {
        let target = format!("/session/{}/{command}", self.session);
        let (status, answer) = exchange(self.address, "POST", &target, &arguments.to_string());
        assert_eq!(status, 200, "{command} {arguments}: {answer}");
        serde_json::from_str::<Value>(&answer).unwrap()["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            exchange(self.address, "DELETE", &format!("/session/{}", self.session), "");
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

const INSTALL: &str = "install Chromium and its driver (Debian: apt-get install -y chromium chromium-driver), \
                       or set RINGSPAN_SKIP_BROWSER=1";

fn installed(names: &[&str]) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let candidates =
        names.iter().flat_map(|name| path.split(':').map(move |folder| format!("{folder}/{name}")));
    candidates.into_iter().find(|file| std::path::Path::new(file).exists())
}

/// One request on a connection of its own: the answer's status and body.
fn exchange(address: SocketAddr, method: &str, target: &str, body: &str) -> (u16, String) {
    let mut stream = BufReader::new(TcpStream::connect(address).unwrap());
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.get_mut().write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
    let mut length = 0;
    while stream.read_line(&mut line).unwrap() > 0 && !line.ends_with("\r\n\r\n") {
        let header = line.lines().last().unwrap_or_default().to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (status, String::from_utf8(body).unwrap())
}
