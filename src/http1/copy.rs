//! Copies header lines from one head into another. A parsed line is valid as it stands, and most lines go on
//! unchanged, so runs of them are copied at once instead of being put together again name by name.

use super::head::Header;

/// Appends the lines of the `headers` for which `keep` is true. `lines` is the section the headers were parsed
/// from, with the line end of its last line.
#[inline]
pub(super) fn copy_headers<'b>(
    headers: &[Header<'b>],
    lines: &'b [u8],
    out: &mut Vec<u8>,
    mut keep: impl FnMut(&Header<'b>) -> bool,
) {
    let mut run: Option<usize> = None;
    for header in headers {
        match (run, keep(header)) {
            (None, true) => run = Some(line_start(header, lines)),
            (Some(start), false) => {
                out.extend_from_slice(lines.get(start..line_start(header, lines)).unwrap_or_default());
                run = None;
            }
            (None, false) | (Some(_), true) => {}
        }
    }
    if let Some(start) = run {
        out.extend_from_slice(lines.get(start..).unwrap_or_default());
    }
}

/// Where the line of `header` begins in `lines`: a line begins with its name.
fn line_start(header: &Header<'_>, lines: &[u8]) -> usize {
    offset_in(lines, header.name)
}

/// The distance from the start of `whole` to the start of `part`, a piece of it.
#[inline]
pub(super) fn offset_in(whole: &[u8], part: &[u8]) -> usize {
    let offset = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
    debug_assert!(offset <= whole.len(), "not a piece of that buffer");
    offset
}
