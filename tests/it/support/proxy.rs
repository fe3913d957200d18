//! The binary as a child process: started from the text of a configuration, watched, asked, ended.

use super::raw::Raw;
use super::{PATIENCE, eventually, lock};
use serde_json::{Map, Value};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

/// How the binary is to be started.
#[derive(Debug)]
pub(crate) struct Launch {
    command: Command,
    stdin: Vec<u8>,
}

impl Launch {
    /// With these arguments, and nothing on its standard input.
    pub(crate) fn new(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringspan"));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, stdin: Vec::new() }
    }

    /// With `config` on its standard input.
    pub(crate) fn config(config: &str) -> Self {
        Self::new(&["-"]).stdin(config)
    }

    pub(crate) fn stdin(mut self, text: &str) -> Self {
        self.stdin = text.as_bytes().to_vec();
        self
    }

    /// With the soft and the hard limit on `resource` lowered.
    pub(crate) fn limit(mut self, resource: libc::__rlimit_resource_t, value: libc::rlim_t) -> Self {
        let limit = move || {
            let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
            // SAFETY: `limit` is valid for reading; setrlimit may be called between fork and exec.
            let result = unsafe { libc::setrlimit(resource, &raw const limit) };
            if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
        };
        // SAFETY: `limit` allocates nothing and takes no lock.
        unsafe { self.command.pre_exec(limit) };
        self
    }

    /// Runs `prepare` in the child before it becomes the binary.
    ///
    /// # Safety
    ///
    /// As for [`CommandExt::pre_exec`].
    pub(crate) unsafe fn before_exec(mut self, prepare: fn() -> io::Result<()>) -> Self {
        // SAFETY: passed on to the caller.
        unsafe { self.command.pre_exec(prepare) };
        self
    }

    /// Starts it and waits until it says that it serves.
    #[track_caller]
    pub(crate) fn start(self) -> Proxy {
        let proxy = self.spawn();
        proxy.address("admin http");
        proxy
    }

    /// Starts it and waits for nothing.
    #[track_caller]
    pub(crate) fn spawn(mut self) -> Proxy {
        // A test run that is killed takes its children along. The signal comes when the thread ends that
        // started the child, which is the test itself: no proxy outlives its test.
        let die_along = || {
            // SAFETY: a system call without pointers.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            Ok(())
        };
        // SAFETY: the closure makes one system call, and neither allocates nor locks.
        unsafe { self.command.pre_exec(die_along) };
        let mut child = self.command.spawn().expect("the binary starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        // One that refuses its arguments does not read it.
        let _ = stdin.write_all(&self.stdin);
        drop(stdin);
        let stdout = Output::of(child.stdout.take().expect("a pipe"));
        let stderr = Output::of(child.stderr.take().expect("a pipe"));
        Proxy { child, stdout, stderr }
    }

    /// Runs it to its end, which must come by itself.
    #[track_caller]
    pub(crate) fn run(self) -> Ended {
        self.spawn().wait()
    }
}

/// What a process writes, collected as it comes.
#[derive(Debug)]
struct Output {
    text: Arc<Mutex<Vec<u8>>>,
    reader: thread::JoinHandle<()>,
}

impl Output {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let mut chunk = [0; 16 * 1024];
            while let Ok(length @ 1..) = pipe.read(&mut chunk) {
                lock(&shared).extend_from_slice(&chunk[..length]);
            }
        });
        Self { text, reader }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&lock(&self.text)).into_owned()
    }

    fn whole(self) -> String {
        self.reader.join().expect("reading does not panic");
        String::from_utf8_lossy(&lock(&self.text)).into_owned()
    }
}

/// How a process ended, and what it had said.
#[derive(Debug)]
pub(crate) struct Ended {
    status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The exit code, which a process that a signal ended does not have.
    #[track_caller]
    pub(crate) fn code(&self) -> i32 {
        self.status
            .code()
            .unwrap_or_else(|| panic!("ended by signal {:?}: {}", self.status.signal(), self.stderr))
    }
}

/// A running binary. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Proxy {
    child: Child,
    stdout: Output,
    stderr: Output,
}

impl Proxy {
    /// Starts one with this configuration and waits until it serves.
    #[track_caller]
    pub(crate) fn start(config: &str) -> Self {
        Launch::config(config).start()
    }

    /// Where the first listener of that name listens: a router's label, `admin http` or `collector`.
    #[track_caller]
    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        let Some(address) = self.addresses(name).into_iter().next() else {
            panic!("no line says where {name} is served: {}", self.stderr());
        };
        address
    }

    /// Where all listeners of that name listen, in the order of the configuration.
    #[track_caller]
    pub(crate) fn addresses(&self, name: &str) -> Vec<SocketAddr> {
        let prefix = format!("serving {name} on ");
        eventually("start-up", || {
            // All lines come at once, so that the first and the last tell of the rest.
            let text = self.stderr();
            let done = text.contains("serving admin http on ") || !self.is_running();
            done.then(|| text.lines().filter_map(|line| line.strip_prefix(&prefix)?.parse().ok()).collect())
        })
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.address("admin http")
    }

    /// The first server of `router`, as [`one_router`](super::one_router) calls it.
    #[track_caller]
    pub(crate) fn router(&self) -> SocketAddr {
        self.address("router")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    /// The metrics as they are now.
    #[track_caller]
    pub(crate) fn metrics(&self) -> Metrics {
        let request = "GET /admin/metrics.json HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n";
        let response = Raw::connect(self.admin()).exchange(request);
        assert_eq!(response.status(), 200, "{}", response.text());
        Metrics(serde_json::from_slice(&response.body).expect("JSON"))
    }

    /// The metrics, once they are as `wanted`.
    #[track_caller]
    pub(crate) fn metrics_when(&self, what: &str, wanted: impl Fn(&Metrics) -> bool) -> Metrics {
        let mut last = None;
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let metrics = self.metrics();
            if wanted(&metrics) {
                return metrics;
            }
            last = Some(metrics);
            thread::sleep(Duration::from_millis(10));
        }
        panic!("not within {PATIENCE:?}: {what}: {last:#?}");
    }

    /// Resident memory in KiB.
    #[track_caller]
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Whether the process has not ended yet.
    pub(crate) fn is_running(&self) -> bool {
        // A process that ended stays a zombie until it is waited for.
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        !matches!(state, None | Some('Z' | 'X'))
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.pid()).unwrap();
        // SAFETY: a plain system call. The process is ours, and not waited for: its id is not reused.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "{}", io::Error::last_os_error());
    }

    /// Waits until it has ended by itself, and takes its last words.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Ended {
        let status = eventually("the end of the process", || self.child.try_wait().expect("a child"));
        // Drop has nothing left to end, and the pipes end with the process.
        let (stdout, stderr) = (take(&mut self.stdout), take(&mut self.stderr));
        Ended { status, stdout: stdout.whole(), stderr: stderr.whole() }
    }

    /// Ends it with SIGTERM.
    #[track_caller]
    pub(crate) fn stop(self) -> Ended {
        self.signal(libc::SIGTERM);
        self.wait()
    }
}

fn take(output: &mut Output) -> Output {
    let empty = Output { text: Arc::default(), reader: thread::spawn(|| {}) };
    std::mem::replace(output, empty)
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the proxy had said:\n{}", self.stderr());
        }
    }
}

/// What `/admin/metrics.json` answered.
#[derive(Clone, Debug)]
pub(crate) struct Metrics(Map<String, Value>);

impl Metrics {
    /// A counter or a whole gauge; 0 if it is not there, as a counter that nothing counted may be.
    #[track_caller]
    pub(crate) fn count(&self, name: &str) -> u64 {
        match self.0.get(name) {
            None => 0,
            Some(value) => value
                .as_u64()
                .or_else(|| value.as_f64().filter(|float| float.fract() == 0.0 && *float >= 0.0).map(whole))
                .unwrap_or_else(|| panic!("{name} is {value}")),
        }
    }

    /// Every metric whose name begins so.
    pub(crate) fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.0.iter().filter(move |(name, _)| name.starts_with(prefix))
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and not negative")]
fn whole(float: f64) -> u64 {
    float as u64
}

/// The books of the telemeters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spans {
    pub(crate) recorded: u64,
    pub(crate) sent: u64,
    pub(crate) dropped: u64,
    pub(crate) queued: u64,
}

impl Spans {
    /// Every span is somewhere, once.
    pub(crate) fn add_up(&self) -> bool {
        self.recorded == self.sent + self.dropped + self.queued
    }
}

impl Metrics {
    pub(crate) fn spans(&self) -> Spans {
        let count = |name: &str| self.count(&format!("telemetry/zipkin/spans_{name}"));
        Spans {
            recorded: count("recorded"),
            sent: count("sent"),
            dropped: count("dropped"),
            queued: count("queued"),
        }
    }

    /// Spans dropped for this reason.
    pub(crate) fn dropped(&self, reason: &str) -> u64 {
        self.count(&format!("telemetry/zipkin/spans_dropped/{reason}"))
    }
}
