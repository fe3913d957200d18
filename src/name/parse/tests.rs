use super::*;
use proptest::prelude::*;

#[test]
fn path_errors_name_what_was_expected_and_show_the_place() {
    for (input, message) in [
        ("", "'/' expected but end of input found at '[]'"),
        ("foo", "'/' expected but 'f' found at '[f]oo'"),
        ("/foo/bar/", "label char expected but end of input found at '/foo/bar/[]'"),
        ("/foo^bar", "end of input expected but '^' found at '/foo[^]bar'"),
        ("/{}", "end of input expected but '{' found at '/[{]}'"),
        (r"/\?", r"'x' expected but '?' found at '/\[?]'"),
        (r"/\x0?", r"hex char expected but '?' found at '/\x0[?]'"),
        (r"/\X00", r"'x' expected but 'X' found at '/\[X]00'"),
        ("/a/é", "label char expected but 'é' found at '/a/[é]'"),
    ] {
        assert_eq!(path(input).unwrap_err().to_string(), message);
    }
}

#[test]
fn tree_and_dtab_errors_name_what_was_expected_and_show_the_place() {
    for (input, message) in [
        ("/foo & . * /bar", "weight expected but '.' found at '/foo & .[ ]* /bar'"),
        ("..", "number char expected but '.' found at '.[.]'"),
        (
            "9999999999999*/a",
            "weight of at most 1000000000000 expected but '9' found at '9999999999999[*]/a'",
        ),
        ("/a |", "simple expected but end of input found at '/a |[]'"),
        ("$/foo", "end of input expected but '/' found at '$[/]foo'"),
    ] {
        assert_eq!(tree(input).unwrap_err().to_string(), message);
    }
    for (input, message) in [
        (";", "'/' expected but ';' found at '[;]'"),
        ("/a => /b ;; /c => /d", "'/' expected but ';' found at '/a => /b ;[;] /c => /d'"),
        ("/a = > /b", "'>' expected but ' ' found at '/a =[ ]> /b'"),
        ("/a/ => /b", "label char expected but ' ' found at '/a/[ ]=> /b'"),
        ("/svc => #/io.l5d.fs", "simple expected but end of input found at '/svc => #/io.l5d.fs[]'"),
    ] {
        assert_eq!(dtab(input).unwrap_err().to_string(), message);
    }
}

#[test]
fn the_offset_of_an_error_counts_bytes() {
    let error = dtab("# é\n/a -> /b").unwrap_err();
    assert_eq!((error.offset(), error.problem().as_str()), (8, "'=' expected but '-' found"));
}

#[test]
fn parentheses_nest_up_to_the_limit_and_no_stack_overflows() {
    let nested = |depth| format!("{}/a{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(tree(&nested(MAX_PARENTHESES)), Ok(NameTree::Leaf(Path::from_labels(["a"]))));
    let error = tree(&nested(1_000_000)).unwrap_err();
    assert_eq!(error.offset(), MAX_PARENTHESES);
    assert_eq!(error.problem(), "at most 32 nested parentheses expected but '(' found");
}

#[test]
fn parentheses_side_by_side_are_not_nested() {
    let text = vec!["(/a | /b)"; 3 * MAX_PARENTHESES].join(" & ");
    assert!(tree(&text).is_ok());
}

#[test]
fn whitespace_is_what_java_calls_whitespace() {
    for blank in [' ', '\t', '\n', '\u{b}', '\r', '\u{1c}', '\u{1f}', '\u{2003}', '\u{2028}', '\u{3000}'] {
        assert!(path(&format!("{blank}/a{blank}")).is_ok(), "{blank:?}");
    }
    for other in ['\0', '\u{85}', '\u{a0}', '\u{2007}', '\u{202f}', '\u{200b}'] {
        assert!(path(&format!("/a{other}")).is_err(), "{other:?}");
    }
}

fn any_path() -> impl Strategy<Value = Path> {
    prop::collection::vec("[a-c #/é]{1,2}", 0..3).prop_map(Path::from_labels)
}

fn any_tree() -> impl Strategy<Value = NameTree<Path>> {
    let leaf = prop_oneof![
        4 => any_path().prop_map(NameTree::Leaf),
        1 => Just(NameTree::Neg),
        1 => Just(NameTree::Fail),
        1 => Just(NameTree::Empty),
    ];
    leaf.prop_recursive(4, 24, 4, |tree| {
        // Weights of two decimals, which are the ones that printing preserves.
        let weight = (0_u32..500).prop_map(|hundredths| Weight::new(f64::from(hundredths) / 100.0).unwrap());
        let branch = (weight, tree.clone()).prop_map(|(weight, tree)| Weighted { weight, tree });
        prop_oneof![
            prop::collection::vec(tree, 2..4).prop_map(NameTree::Alt),
            prop::collection::vec(branch, 2..4).prop_map(NameTree::Union),
        ]
    })
}

proptest! {
    #[test]
    fn a_printed_tree_parses_to_the_same_tree(made in any_tree()) {
        prop_assert_eq!(tree(&made.to_string()), Ok(made));
    }

    #[test]
    fn a_printed_dtab_parses_to_the_same_dtab(trees in prop::collection::vec((any_path(), any_tree()), 0..4)) {
        let made: Dtab = trees
            .into_iter()
            .map(|(path, tree)| Dentry { prefix: Prefix::from_canonical(path.canonical().to_owned()), tree })
            .collect();
        prop_assert_eq!(dtab(&made.to_string()), Ok(made));
    }

    #[test]
    fn any_text_parses_or_fails_at_a_character_of_it(text in "[/a.0*&|()!~$#;=> \\\\xé\n]{0,40}") {
        for error in [dtab(&text).err(), tree(&text).err(), path(&text).err()].into_iter().flatten() {
            prop_assert!(text.is_char_boundary(error.offset()));
            let shown = error.to_string();
            prop_assert!(shown.contains(" expected but ") && shown.contains("]"));
        }
    }

    #[test]
    fn reduction_is_idempotent_and_keeps_what_can_be_reached(made in any_tree()) {
        let reduced = made.clone().reduce();
        prop_assert_eq!(reduced.clone().reduce(), reduced.clone());
        prop_assert_eq!(reduced.evaluate(), made.evaluate());
    }
}
