//! Arguments, exit codes and printed errors; everything else is in the library.

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use ringspan::boot::{self, Announce, exit};
use ringspan::config::{self, Loaded, Source};
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tracing_subscriber::filter::LevelFilter;

const EXIT_CODES: &str = "\
Exit codes:
    0  ended as asked (SIGTERM, SIGINT, POST /admin/shutdown)
    1  something broke while running, or requests had to be cut at the end
    2  mistakes in the configuration; nothing was started
    3  the machine does not allow what is needed (io_uring, memory and file limits, cores); nothing was started
    4  an address is in use or cannot be had; nothing was started
   64  mistakes on the command line
  130  a second SIGINT, 143 a second SIGTERM: ended at once

A file that is called like a command is given with a path: ./check";

/// A thread-per-core, io_uring HTTP proxy that traces every hop.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = EXIT_CODES,
    override_usage = "ringspan [OPTIONS] <CONFIG>\n       ringspan [OPTIONS] check <CONFIG>",
    subcommand_negates_reqs = true,
    disable_help_subcommand = true
)]
struct Arguments {
    /// The configuration, in TOML or in Linkerd's YAML or JSON; - reads standard input
    #[arg(value_name = "CONFIG", required = true)]
    config: Option<PathBuf>,

    /// The least important messages to log to standard error
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t = LogLevel::Info, global = true)]
    log_level: LogLevel,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a configuration and this machine's limits without starting anything; prints ok
    Check {
        /// The configuration; - reads standard input
        #[arg(value_name = "CONFIG")]
        config: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Off => Self::OFF,
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and the version arrive here too, and are no mistakes.
            let code = if error.use_stderr() { exit::USAGE } else { exit::OK };
            let _ = error.print();
            return code.into();
        }
    };
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::from(arguments.log_level))
        .with_writer(io::stderr)
        .with_target(false)
        .init();
    match (arguments.command, arguments.config) {
        (Some(Command::Check { config }), _) => check(&config),
        (None, Some(config)) => run(&config, arguments.log_level),
        // The parser does not let this through.
        (None, None) => exit::USAGE.into(),
    }
}

/// Reads the command line. That a command wants no configuration before it is checked here: clap's own
/// setting for it would refuse `--log-level` there as well.
fn parse<A: Into<OsString> + Clone>(words: impl IntoIterator<Item = A>) -> Result<Arguments, clap::Error> {
    let arguments = Arguments::try_parse_from(words)?;
    if arguments.command.is_some() && arguments.config.is_some() {
        let problem = "a command's configuration comes after the command";
        return Err(Arguments::command().error(ErrorKind::ArgumentConflict, problem));
    }
    Ok(arguments)
}

fn run(config: &Path, log_level: LogLevel) -> ExitCode {
    let announce = if log_level == LogLevel::Off { Announce::Nothing } else { Announce::Lines };
    match load(config) {
        Ok(Loaded { config, json }) => boot::run(&config, json, announce),
        Err(code) => code,
    }
}

fn check(config: &Path) -> ExitCode {
    let loaded = match load(config) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let findings = boot::check_machine(&loaded.config);
    say(&findings);
    if !findings.errors.is_empty() {
        return exit::MACHINE.into();
    }
    let _ = writeln!(io::stdout(), "ok");
    exit::OK.into()
}

fn load(config: &Path) -> Result<Loaded, ExitCode> {
    config::load(&Source::from_argument(config)).map_err(|error| {
        say(&format_args!("{error}\n"));
        exit::CONFIG.into()
    })
}

/// Writes to stderr. Nobody may be there to read it, and that is no reason to panic.
fn say(text: &impl Display) {
    let _ = write!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        parse(std::iter::once(&"ringspan").chain(arguments))
    }

    #[test]
    fn one_argument_is_the_configuration() {
        for (given, expected) in [("a.toml", "a.toml"), ("-", "-"), ("./check", "./check")] {
            let given_one = parsed(&[given]).unwrap();
            assert_eq!(given_one.config.as_deref(), Some(Path::new(expected)));
            assert!(given_one.command.is_none());
            assert_eq!(given_one.log_level, LogLevel::Info);
        }
    }

    #[test]
    fn check_takes_a_configuration_of_its_own() {
        for arguments in [
            &["check", "-"][..],
            &["check", "-", "--log-level", "debug"],
            &["--log-level", "debug", "check", "-"],
        ] {
            match parsed(arguments).unwrap().command {
                Some(Command::Check { config }) => assert_eq!(config, Path::new("-")),
                None => panic!("{arguments:?} is no check"),
            }
        }
    }

    #[test]
    fn mistakes_are_refused() {
        for arguments in [
            &[][..],
            &["check"],
            &["a", "b"],
            &["a", "check", "b"],
            &["--log-level", "loud", "a"],
            &["--loud", "a"],
        ] {
            assert!(parsed(arguments).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn the_definition_is_sound_and_help_lists_the_exit_codes() {
        Arguments::command().debug_assert();
        let help = Arguments::command().render_long_help().to_string();
        for code in [exit::OK, exit::RUNTIME, exit::CONFIG, exit::MACHINE, exit::ADDRESS, exit::USAGE] {
            assert!(help.contains(&format!(" {code}  ")), "{code} is not in {help}");
        }
    }
}
