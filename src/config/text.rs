//! A configuration's text: read within a limit, its format, and the line and column of every byte in it.

use super::error::{ConfigError, Excerpt, LoadError, Problem};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Where a configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input, read to its end.
    Stdin,
}

impl Source {
    /// The source that a command line names: `-` is standard input, anything else is a file.
    #[must_use]
    pub fn from_argument(argument: &Path) -> Self {
        if argument.as_os_str() == STDIN { Self::Stdin } else { Self::File(argument.to_path_buf()) }
    }
}

/// The languages a configuration is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Toml,
    /// YAML 1.2, of which JSON is a part.
    Yaml,
}

/// Line and column, both from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: u32,
    pub(super) column: u32,
}

/// The text of a configuration and where its lines begin.
#[derive(Debug)]
pub(super) struct Text {
    file: PathBuf,
    text: String,
    /// Byte offsets; the first is 0.
    line_starts: Vec<usize>,
}

impl Text {
    /// Reads `source`.
    pub(super) fn read(source: &Source) -> Result<Self, LoadError> {
        match source {
            Source::Stdin => Self::read_from(PathBuf::from(STDIN), io::stdin().lock()),
            // A FIFO or /dev/stdin is as good as a file; a directory or nothing is not.
            Source::File(path) if path.is_dir() || !path.exists() => Err(LoadError::NotAFile(path.clone())),
            Source::File(path) => match File::open(path) {
                Ok(file) => Self::read_from(path.clone(), file),
                Err(error) => Err(LoadError::Unreadable { file: path.clone(), error }),
            },
        }
    }

    fn read_from(file: PathBuf, reader: impl Read) -> Result<Self, LoadError> {
        let mut bytes = Vec::new();
        match reader.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes) {
            Ok(_) => Self::from_bytes(file, bytes),
            Err(error) => Err(LoadError::Unreadable { file, error }),
        }
    }

    /// The text in `bytes`, if it is UTF-8 and not too long. A byte order mark is left out.
    pub(super) fn from_bytes(file: PathBuf, bytes: Vec<u8>) -> Result<Self, LoadError> {
        let refuse = |text: Self, message: String| {
            let end = text.text.len();
            let error = text.error(end, String::new(), Problem::Syntax(message));
            Err(LoadError::Invalid(vec![error]))
        };
        if u64::try_from(bytes.len()).map_or(true, |length| length > MAX_FILE_BYTES) {
            let message = format!("the file is larger than {MAX_FILE_BYTES} bytes, the most that is read");
            return refuse(Self::new(file, ""), message);
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(Self::new(file, text)),
            Err(error) => {
                let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
                refuse(Self::new(file, &String::from_utf8_lossy(valid)), "the text is not UTF-8".to_owned())
            }
        }
    }

    fn new(file: PathBuf, text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
        let after_newlines = text.match_indices('\n').map(|(newline, _)| newline + 1);
        let line_starts = std::iter::once(0).chain(after_newlines).collect();
        Self { file, text, line_starts }
    }

    /// The whole text.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The text from byte `offset`; empty beyond the end.
    pub(super) fn after(&self, offset: usize) -> &str {
        self.text.get(offset..).unwrap_or_default()
    }

    /// The language the text is written in.
    ///
    /// The file's extension decides (`.toml`, `.yaml`, `.yml`, `.json`). Standard input and other files are judged by
    /// their first line that is neither blank nor a comment: `{` opens JSON, `---` or `%` YAML, `[` a TOML table;
    /// otherwise `=` before any `:` makes it TOML, and `:` YAML.
    pub(super) fn format(&self) -> Format {
        let extension =
            self.file.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
        match extension.as_deref() {
            Some("toml") => return Format::Toml,
            Some("yaml" | "yml" | "json") => return Format::Yaml,
            _ => {}
        }
        let lines = self.text.lines().map(str::trim);
        let Some(first) = lines.into_iter().find(|line| !line.is_empty() && !line.starts_with('#')) else {
            return Format::Toml;
        };
        if first.starts_with("---") || first.starts_with(['{', '%']) {
            return Format::Yaml;
        }
        if first.starts_with('[') {
            return Format::Toml;
        }
        match first.find(['=', ':']) {
            Some(sign) if first.as_bytes().get(sign) == Some(&b':') => Format::Yaml,
            _ => Format::Toml,
        }
    }

    /// The position of byte `offset`; beyond the end, that of the end.
    pub(super) fn position(&self, offset: usize) -> Position {
        let line = self.line_starts.partition_point(|&start| start <= offset);
        let start = self.line_start(line);
        let before = self.text.get(start..).unwrap_or_default().char_indices();
        let column = before.take_while(|&(index, _)| start + index < offset).count() + 1;
        // The file is at most 1 MiB, so neither number can be too large.
        let small = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Position { line: small(line), column: small(column) }
    }

    /// An error at byte `offset` of this text.
    pub(super) fn error(&self, offset: usize, key: String, problem: Problem) -> ConfigError {
        let excerpt = match &problem {
            Problem::Name { within: Some((name, within)), .. } => Some(Excerpt::of(name, *within)),
            Problem::Name { within: None, .. } => Some(Excerpt::of(&self.text, offset)),
            _ => None,
        };
        let Position { line, column } = self.position(offset);
        ConfigError { file: self.file.clone(), line, column, key, problem, excerpt }
    }

    /// Where `line`, counted from 1, begins.
    fn line_start(&self, line: usize) -> usize {
        self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or_default()
    }
}

/// What stands for standard input on the command line and in [`ConfigError::file`].
const STDIN: &str = "-";

/// The most that is read of a configuration: far beyond any real file, and small enough to parse at once.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(file: &str, text: &str) -> Text {
        Text::from_bytes(file.into(), text.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let text = text("a.toml", "ab\né = 1\r\n\nx");
        let cases = [
            (0, (1, 1)),
            (1, (1, 2)),
            (2, (1, 3)),
            (3, (2, 1)),
            (5, (2, 2)),
            (11, (3, 1)),
            (12, (4, 1)),
            (13, (4, 2)),
            (99, (4, 2)),
        ];
        for (offset, (line, column)) in cases {
            assert_eq!(text.position(offset), Position { line, column }, "offset {offset}");
        }
    }

    #[test]
    fn the_extension_decides_the_format_and_the_text_where_there_is_none() {
        let cases = [
            ("a.toml", "a: 1", Format::Toml),
            ("a.YAML", "a = 1", Format::Yaml),
            ("a.yml", "", Format::Yaml),
            ("a.json", "[]", Format::Yaml),
            ("-", "\n  # a: comment\n{ \"a\": 1 }", Format::Yaml),
            ("-", "[[routers]]\nprotocol = 'http'", Format::Toml),
            ("-", "# Linkerd\nadmin:\n  port: 1", Format::Yaml),
            ("-", "---\nadmin: {}", Format::Yaml),
            ("conf", "admin.port = 9990 # ip: any", Format::Toml),
            ("conf", "routers: [ { label: a=b } ]", Format::Yaml),
            ("-", "", Format::Toml),
        ];
        for (file, content, format) in cases {
            assert_eq!(text(file, content).format(), format, "{file}: {content}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_an_error_at_their_place() {
        let error = Text::from_bytes("a.toml".into(), b"a = 1\nb = '\xff'".to_vec()).unwrap_err();
        assert_eq!(error.to_string(), "a.toml:2:6: the text is not UTF-8");
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_text() {
        assert_eq!(text("a.toml", "\u{feff}a = 1").as_str(), "a = 1");
    }

    #[test]
    fn a_file_beyond_the_limit_is_refused() {
        let long = usize::try_from(MAX_FILE_BYTES).unwrap() + 1;
        let error = Text::from_bytes("a.toml".into(), vec![b'\n'; long]).unwrap_err();
        assert!(error.to_string().contains("larger than 1048576 bytes"), "{error}");
        assert!(Text::from_bytes("a.toml".into(), vec![b'\n'; long - 1]).is_ok());
    }

    #[test]
    fn a_missing_file_and_a_directory_are_not_files() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_path_buf(), folder.path().join("none.toml")] {
            let error = Text::read(&Source::File(path.clone())).unwrap_err();
            assert_eq!(error.to_string(), format!("config is not a file: {}", path.display()));
        }
    }
}
