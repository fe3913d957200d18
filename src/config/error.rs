//! What can be wrong with a configuration, and how it is shown: `file:line:column: key: problem`, and for an
//! error inside a path or dtab the offending line with a caret. Finding the problems is the other files' work.

use std::fmt;
use std::path::{Path, PathBuf};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The path does not name a file.
    #[error("config is not a file: {}", .0.display())]
    NotAFile(PathBuf),
    /// The file exists, but reading it failed.
    #[error("cannot read {}: {error}", ShownFile(.file))]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file was read; here is everything that is wrong with it, in the order of the file. Never empty.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<ConfigError>),
}

/// One mistake in a configuration file.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigError {
    /// The file as the user named it; `-` is standard input.
    pub file: PathBuf,
    /// Counts from 1.
    pub line: u32,
    /// Counts characters, from 1.
    pub column: u32,
    /// As the user would say it: `routers[1].dtab`. Empty for a syntax error.
    pub key: String,
    /// What is wrong there.
    pub problem: Problem,
    /// The line to show below the message.
    pub excerpt: Option<Excerpt>,
}

/// A line of text, and the character in it to point at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The whole line.
    pub line: String,
    /// Characters before the one to point at.
    pub caret: usize,
}

/// What is wrong at one place of a configuration.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The text is not TOML, YAML or JSON.
    #[error("{0}")]
    Syntax(String),
    /// The same key twice in one place.
    #[error("duplicate key{}", .first.map(|line| format!(", first on line {line}")).unwrap_or_default())]
    DuplicateKey {
        /// The line of the first one, where known.
        first: Option<u32>,
    },
    /// A key that means nothing here.
    #[error("unknown key; {}", suggest(*.meant, .known, "the keys here are"))]
    UnknownKey {
        /// A known key that looks like it.
        meant: Option<&'static str>,
        /// Every key that is known here.
        known: &'static [&'static str],
    },
    /// A kind that does not exist.
    #[error("unknown kind {found:?}; {}", suggest(*.meant, .known, "the kinds here are"))]
    UnknownKind {
        /// What was written.
        found: String,
        /// A known kind that looks like it.
        meant: Option<&'static str>,
        /// Every kind that is known here.
        known: &'static [&'static str],
    },
    /// One of a few words was expected.
    #[error("unknown value {found:?}; expected {}", quoted(.known, " or "))]
    UnknownWord {
        /// What was written.
        found: String,
        /// What could have been.
        known: &'static [&'static str],
    },
    /// A key that must be there is not.
    #[error("missing; {0}")]
    Missing(&'static str),
    /// A value of another type.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// What belongs here.
        expected: &'static str,
        /// What is here.
        found: &'static str,
    },
    /// A number that is too small or too large.
    #[error("{found} is outside {least} to {most}")]
    OutOfRange {
        /// What was written.
        found: String,
        /// The smallest value.
        least: String,
        /// The largest value.
        most: String,
    },
    /// Not a port.
    #[error("{0} outside valid range for ports")]
    Port(i128),
    /// A port to connect to cannot be 0.
    #[error("port 0 cannot be connected to")]
    PortZero,
    /// Not an IP address.
    #[error("{0:?} is not a full IP address, such as 127.0.0.1 or ::1")]
    Ip(String),
    /// A text that cannot be what it should be.
    #[error("{found:?} is not {expected}")]
    Malformed {
        /// What was written.
        found: String,
        /// What belongs here.
        expected: &'static str,
    },
    /// A path or dtab that does not parse.
    #[error("{message}")]
    Name {
        /// What the naming language says.
        message: String,
        /// The path or dtab and the byte in it, when the place in the file is not exactly known.
        within: Option<(String, usize)>,
    },
    /// A file without routers and without a collector.
    #[error("At least one router must be specified in the configuration.")]
    NoRouters,
    /// Two routers of one name.
    #[error("Multiple routers with the label {0}")]
    DuplicateLabel(String),
    /// A router that listens nowhere.
    #[error("router '{0}' has no servers")]
    NoServers(String),
    /// Two listeners on one port.
    #[error("Server conflict on port {port}: {other}")]
    ServerConflict {
        /// The port.
        port: u16,
        /// Who else listens there, and where the file says so.
        other: String,
    },
    /// A router that sends requests back to itself.
    #[error("self-loop: {names} goes straight back to this router's own server on {server}")]
    SelfLoop {
        /// The names that loop.
        names: String,
        /// The server they come back to.
        server: std::net::SocketAddr,
    },
    /// A telemeter that means the Scribe transport.
    #[error(
        "{0} means Zipkin's Scribe transport, which this version does not speak; set port = 9411 (Zipkin's HTTP \
         port) or transport = \"http\""
    )]
    Scribe(&'static str),
    /// A core that is named twice.
    #[error("core {0} is listed twice")]
    DuplicateCore(usize),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", ShownFile(&self.file), self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", one_line(&self.key))?;
        }
        write!(f, "{}", one_line(&self.problem.to_string()))?;
        match &self.excerpt {
            Some(excerpt) => write!(f, "\n{excerpt}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Excerpt {
    /// The line of `text` that holds byte `offset`; of the last line's end when `offset` is beyond it.
    #[must_use]
    pub fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = text.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
        Self { line: line.to_owned(), caret: before.get(start..).unwrap_or_default().chars().count() }
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.caret.saturating_sub(MAX_EXCERPT_CHARS / 2);
        let shown = self.line.chars().skip(first).take(MAX_EXCERPT_CHARS).map(printable).collect::<String>();
        // A tab stays a tab above and below, so that the caret stands right whatever the terminal makes of it.
        let under = shown.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).chain(std::iter::repeat(' '));
        writeln!(f, "{shown}")?;
        write!(f, "{}^", under.take(self.caret - first).collect::<String>())
    }
}

/// A file name as messages show it.
struct ShownFile<'a>(&'a Path);

impl fmt::Display for ShownFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.as_os_str() == "-" { f.write_str("<stdin>") } else { write!(f, "{}", self.0.display()) }
    }
}

/// Keys and values may hold any text of any length; a message is one line that leaves the terminal alone.
fn one_line(text: &str) -> String {
    let shown = text.chars().take(MAX_MESSAGE_CHARS);
    shown.map(|c| if c.is_whitespace() { ' ' } else { printable(c) }).collect()
}

fn printable(c: char) -> char {
    if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c }
}

fn suggest(meant: Option<&'static str>, known: &[&'static str], list: &str) -> String {
    match meant {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => format!("{list} {}", quoted(known, ", ")),
    }
}

fn quoted(words: &[&'static str], between: &str) -> String {
    words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(between)
}

/// Characters of a line that an excerpt shows, so that a file that is one long line stays readable.
const MAX_EXCERPT_CHARS: usize = 160;

/// Characters that a message shows of a key and of a problem.
const MAX_MESSAGE_CHARS: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    fn error(file: &str, excerpt: Option<Excerpt>) -> ConfigError {
        let problem = Problem::Port(70_000);
        ConfigError { file: file.into(), line: 3, column: 8, key: "admin.port".into(), problem, excerpt }
    }

    #[test]
    fn an_error_names_file_line_column_key_and_problem() {
        let shown = error("a.toml", None).to_string();
        assert_eq!(shown, "a.toml:3:8: admin.port: 70000 outside valid range for ports");
    }

    #[test]
    fn a_single_dash_is_shown_as_standard_input() {
        assert!(error("-", None).to_string().starts_with("<stdin>:3:8: "));
    }

    #[test]
    fn the_caret_stands_under_its_character_even_after_tabs() {
        let excerpt = Excerpt { line: "\tdtab = 'é;'".into(), caret: 10 };
        assert_eq!(excerpt.to_string(), "\tdtab = 'é;'\n\t         ^");
    }

    #[test]
    fn a_very_long_line_is_cut_around_the_caret() {
        let excerpt = Excerpt { line: format!("{}X{}", "a".repeat(5_000), "b".repeat(5_000)), caret: 5_000 };
        let shown = excerpt.to_string();
        let (line, under) = shown.split_once('\n').unwrap();
        assert_eq!(line.chars().count(), MAX_EXCERPT_CHARS);
        assert_eq!(line.chars().nth(under.chars().count() - 1), Some('X'));
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        let excerpt = Excerpt { line: "a\u{1b}[31m".into(), caret: 1 };
        let key = "a\u{1b}[31m\nb".repeat(1_000);
        let shown = ConfigError { key, ..error("a.toml", Some(excerpt)) }.to_string();
        assert!(!shown.contains('\u{1b}'));
        assert_eq!(shown.lines().count(), 3);
        assert!(shown.len() < 2 * MAX_MESSAGE_CHARS, "{}", shown.len());
    }
}
