//! Turns a field name into its number: once per header of every message, so it is worth being quick about.

use super::field::Known;

/// Slots of the name table: a power of two, about three times the number of names, so that nearly every
/// unknown name ends at an empty slot without a comparison.
const SLOTS: usize = 128;

/// Open-addressed hash table of the known names; `Other` marks an empty slot.
static TABLE: [Known; SLOTS] = table();

const fn table() -> [Known; SLOTS] {
    let mut slots = [Known::Other; SLOTS];
    let mut index = 0;
    while index < Known::NAMES.len() {
        let (known, name) = Known::NAMES[index];
        let name = name.as_bytes();
        let mut slot = slot_of(name[0], name[name.len() - 1], name.len());
        while !matches!(slots[slot], Known::Other) {
            slot = (slot + 1) % SLOTS;
        }
        slots[slot] = known;
        index += 1;
    }
    slots
}

/// Where the search for a name begins: from its length and its outer letters, in either case.
const fn slot_of(first: u8, last: u8, len: usize) -> usize {
    // `as` widens here; `usize::from` is not const.
    ((first | 0x20) as usize * 3 + (last | 0x20) as usize * 11 + len * 5) % SLOTS
}

/// The known name that `name` is, in any case.
#[must_use]
#[inline]
pub fn classify(name: &[u8]) -> Known {
    let (Some(&first), Some(&last)) = (name.first(), name.last()) else {
        return Known::Other;
    };
    let mut slot = slot_of(first, last, name.len());
    loop {
        let known = TABLE[slot % SLOTS];
        if known == Known::Other || is_name(name, known.name().as_bytes()) {
            return known;
        }
        slot += 1;
    }
}

/// Whether `name` is `known`, a name of lower-case letters, digits and hyphens, but for case.
///
/// Compares words, which may overlap, instead of bytes: nine headers are classified in 27 ns instead of 50.
#[inline]
fn is_name(name: &[u8], known: &[u8]) -> bool {
    if name.len() != known.len() {
        return false;
    }
    if let (Some(head), Some(tail), Some(known_head), Some(known_tail)) =
        (name.first_chunk(), name.last_chunk(), known.first_chunk(), known.last_chunk())
    {
        let differs = difference(u64::from_le_bytes(*head), u64::from_le_bytes(*known_head))
            | difference(u64::from_le_bytes(*tail), u64::from_le_bytes(*known_tail));
        // The two words leave a gap in the middle of the few names that are longer than both.
        return differs == 0 && (name.len() <= 16 || name.eq_ignore_ascii_case(known));
    }
    if let (Some(head), Some(tail), Some(known_head), Some(known_tail)) =
        (name.first_chunk(), name.last_chunk(), known.first_chunk(), known.last_chunk())
    {
        let name = u64::from(u32::from_le_bytes(*head)) << 32 | u64::from(u32::from_le_bytes(*tail));
        let known =
            u64::from(u32::from_le_bytes(*known_head)) << 32 | u64::from(u32::from_le_bytes(*known_tail));
        return difference(name, known) == 0;
    }
    name.eq_ignore_ascii_case(known)
}

/// The bits in which eight bytes of a name differ from those of a known one, apart from the case bit of its
/// letters: only letters have bit 0x40 set in lower-case letters, digits and hyphens.
#[inline]
const fn difference(name: u64, known: u64) -> u64 {
    let letters = known & 0x4040_4040_4040_4040;
    (name ^ known) & !(letters >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    #[test]
    fn every_known_name_is_found_in_any_case() {
        for &(known, name) in Known::NAMES {
            assert_eq!(classify(name.as_bytes()), known);
            assert_eq!(classify(name.to_uppercase().as_bytes()), known);
            assert_eq!(known.name(), name);
        }
    }

    #[test]
    fn names_that_merely_resemble_a_known_one_are_other() {
        for name in [
            "",
            "hos",
            "hosts",
            "h0st",
            "xontent-length",
            "content_length",
            "l5d-ctx-tracf",
            "transfer-encoding ",
            "transferxencoding",
            "content\rlength",
            "x-b\u{13}-flags",
            "h\u{f}st",
            "v\tia",
        ] {
            assert_eq!(classify(name.as_bytes()), Known::Other, "{name}");
        }
    }

    #[test]
    fn the_table_is_sparse_enough_to_end_searches_early() {
        for &(known, name) in Known::NAMES {
            let bytes = name.as_bytes();
            let home = slot_of(bytes[0], bytes[bytes.len() - 1], bytes.len());
            let found = (0..SLOTS).find(|step| TABLE[(home + step) % SLOTS] == known).unwrap();
            assert!(found <= 4, "{name} lies {found} slots from home");
        }
    }

    proptest! {
        #[test]
        fn classification_agrees_with_a_plain_search(
            name in any::<Vec<u8>>(),
            known in prop::sample::select(Known::NAMES),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut changed = known.1.as_bytes().to_vec();
            changed[at.index(known.1.len())] = byte;
            for name in [name, changed] {
                let plain = Known::NAMES.iter().find(|(_, known)| known.as_bytes().eq_ignore_ascii_case(&name));
                prop_assert_eq!(classify(&name), plain.map_or(Known::Other, |(known, _)| *known));
            }
        }
    }
}
