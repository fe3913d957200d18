//! Finds the byte of the file that a byte of a parsed string came from, so that an error inside a dtab can point
//! into the file: through YAML's indentation and folding and TOML's triple quotes.

/// The offset in `source` of the byte `offset` of `value`, where `source` begins with the content of the string that
/// was read as `value`. At the end of `value`, just after its last character that is not blank.
///
/// Both texts are walked together: they must be the same but for the amount of blanks and line ends, which is all that
/// multi-line strings, block scalars and folding change. None when they are not, as with escapes.
pub(super) fn in_source(source: &str, value: &str, offset: usize) -> Option<usize> {
    let mut written = source.char_indices().peekable();
    let mut found = None;
    // Just after the last character that both have in common.
    let mut end = 0;
    for (index, wanted) in value.char_indices() {
        if wanted.is_whitespace() {
            // A blank of the value is the blank of the file, as long as there is one left in this run.
            let at = written.next_if(|(_, c)| c.is_whitespace()).map_or(end, |(at, _)| at);
            if index == offset {
                found = Some(at);
            }
            continue;
        }
        while written.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        let (at, c) = written.next()?;
        if c != wanted {
            return None;
        }
        if index == offset {
            found = Some(at);
        }
        end = at + c.len_utf8();
    }
    if offset >= value.len() { Some(end) } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In every case the caret's character of the value is that of the file.
    #[test]
    fn a_place_in_the_value_is_the_same_character_in_the_file() {
        let cases = [
            ("/a => /b;'", "/a => /b;"),
            ("  /a => /b ;\n    /c\n'''", "  /a => /b ;\n    /c\n"),
            ("/a => /b ;\r\n    /c => ;\r\n  next: 1", "/a => /b ;\n/c => ;\n"),
            ("/a => /b ;\n\n    /c => /d\nnext: 1", "/a => /b ;\n/c => /d\n"),
            ("/a =>\n   /b", "/a => /b"),
        ];
        for (source, value) in cases {
            for (offset, c) in value.char_indices().filter(|(_, c)| !c.is_whitespace()) {
                let at = in_source(source, value, offset).unwrap();
                assert!(source[at..].starts_with(c), "{source:?} {offset}");
            }
        }
    }

    #[test]
    fn the_end_is_after_the_last_character_that_is_not_blank() {
        assert_eq!(in_source("  /a =>\n   next: 1", "/a =>\n", 6), Some(7));
        assert_eq!(in_source("'", "", 0), Some(0));
    }

    #[test]
    fn a_blank_is_found_in_its_own_line() {
        assert_eq!(in_source("/a = > /b", "/a = > /b", 4), Some(4));
    }

    #[test]
    fn a_string_with_escapes_has_no_exact_place() {
        assert_eq!(in_source("/a\\u0020=> ;\"", "/a => ;", 6), None);
        assert_eq!(in_source("/a''b'", "/a'b", 4), None);
    }
}
