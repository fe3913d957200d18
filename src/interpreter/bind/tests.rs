use super::*;
use crate::name::MAX_PARENTHESES;
use crate::namer;
use std::cell::RefCell;
use std::fmt::Write;

fn dtab(text: &str) -> Dtab {
    Dtab::parse(text).unwrap()
}

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// The bound tree with its leaves as `[id residual]`, or the error's text.
fn bound(table: &str, name: &str) -> String {
    show(&bind(&dtab(table), &path(name), namer::lookup))
}

fn show(outcome: &Outcome) -> String {
    match outcome {
        Ok(tree) => tree.map(&|bound| format!("[{} {}]", bound.id, bound.residual)).to_string(),
        Err(error) => error.to_string(),
    }
}

/// `/h0 => /h1 ; /h1 => /h2 ; ...`, `count` entries of which the last leads to an inet name.
fn chain(count: usize) -> Dtab {
    let mut text = String::new();
    for entry in 1..count {
        write!(text, "/h{} => /h{entry};", entry - 1).unwrap();
    }
    write!(text, "/h{} => /$/inet/127.1/1", count - 1).unwrap();
    dtab(&text)
}

#[test]
fn the_suffix_is_kept_through_every_step() {
    assert_eq!(bound("/srv => /$/inet/127.1/8888; /svc => /srv", "/svc/dog"), "[/$/inet/127.1/8888 /dog]");
    assert_eq!(bound("", "/$/inet/127.1/80/a/b"), "[/$/inet/127.1/80 /a/b]");
}

#[test]
fn only_neg_moves_on_to_the_next_alternate() {
    for (tree, found) in [
        ("~ | /$/inet/1", "[/$/inet/1 /]"),
        ("/nothing | /$/inet/1", "[/$/inet/1 /]"),
        ("$ | /$/inet/1", "$"),
        ("/$/nil | /$/inet/1", "$"),
        ("! | /$/inet/1", "!"),
        ("/$/fail | /$/inet/1", "!"),
        ("(! & !) | /$/inet/1", "[/$/inet/1 /]"),
        ("/$/nosuch | /$/inet/1", "Unknown namer: nosuch for path: /$/nosuch"),
        ("/$/inet/1 | /$/nosuch", "[/$/inet/1 /]"),
        ("/$/inet/h/70000 | /$/inet/1", "port out of range: 70000 for path: /$/inet/h/70000"),
        ("~ | /nothing", "~"),
    ] {
        assert_eq!(bound(&format!("/svc => {tree}"), "/svc"), found, "{tree}");
        // Entries of one name are alternates too, the last entry first.
        let entries: Vec<_> = tree.rsplit(" | ").map(|tree| format!("/svc => {tree}")).collect();
        assert_eq!(bound(&entries.join(";"), "/svc"), found, "{tree} in entries");
    }
}

#[test]
fn a_union_keeps_the_branches_that_have_an_answer() {
    for (tree, found) in [
        ("0.2*/$/inet/1 & 0.8*/$/inet/2", "0.20*[/$/inet/1 /] & 0.80*[/$/inet/2 /]"),
        ("/nothing & 3*/$/inet/1 & /$/inet/2", "3.00*[/$/inet/1 /] & [/$/inet/2 /]"),
        ("0.5*/$/fail & 0.5*/$/inet/1", "[/$/inet/1 /]"),
        ("0.5*/$/nosuch & 0.5*/$/inet/1", "[/$/inet/1 /]"),
        ("/$/nosuch & ~", "~"),
        ("/$/nosuch & /$/other", "Unknown namer: nosuch for path: /$/nosuch"),
        ("0.5*$ & 0.5*/$/inet/1", "0.50*$ & 0.50*[/$/inet/1 /]"),
        ("(/nothing | /$/inet/1) & (/$/inet/2 | /$/inet/3)", "[/$/inet/1 /] & [/$/inet/2 /]"),
        ("(/$/inet/1 & /$/inet/2) & /$/inet/3", "([/$/inet/1 /] & [/$/inet/2 /]) & [/$/inet/3 /]"),
    ] {
        assert_eq!(bound(&format!("/svc => {tree}"), "/svc"), found, "{tree}");
    }
}

#[test]
fn a_chain_of_lookups_ends_at_the_depth_limit_whose_last_lookup_is_the_namers() {
    let name = path("/h0");
    assert_eq!(show(&bind(&chain(99), &name, namer::lookup)), "[/$/inet/127.1/1 /]");
    let too_deep = Err(BindError::TooDeep { limit: 100 });
    assert_eq!(bind(&chain(100), &name, namer::lookup), too_deep);
    assert_eq!(bound("/ => /x", "/svc/a"), "Max recursion level: 100 reached in Namer lookup");
}

#[test]
fn namers_are_asked_only_where_no_entry_applies_but_a_single_neg() {
    for (table, name, asked) in [
        ("", "/#/a", vec!["/#/a"]),
        ("/#/a => ~", "/#/a/b", vec!["/#/a/b"]),
        ("/#/a => ~ ; /#/a => ~", "/#/a", vec![]),
        ("/#/a => ~ | ~", "/#/a", vec![]),
        ("/#/a => /#/b", "/#/a", vec!["/#/b"]),
        ("/svc => /#/a | /#/b", "/svc/x", vec!["/#/a/x", "/#/b/x"]),
    ] {
        let questions = RefCell::new(Vec::new());
        let outcome = bind(&dtab(table), &path(name), |path| {
            questions.borrow_mut().push(path.to_string());
            Ok(NameTree::Neg)
        });
        assert_eq!(outcome, Ok(NameTree::Neg));
        assert_eq!(questions.into_inner(), asked, "{table}");
    }
}

#[test]
fn what_a_namer_rewrites_goes_through_the_dtab_again() {
    let namer = |asked: &Path| match asked.as_str() {
        "/#/rewrite/x" => Ok(NameTree::Alt(vec![NameTree::Neg, NameTree::Leaf(Name::Path(path("/svc/x")))])),
        _ => namer::lookup(asked),
    };
    let outcome = bind(&dtab("/svc => /$/inet/1"), &path("/#/rewrite/x"), namer);
    assert_eq!(show(&outcome), "[/$/inet/1 /x]");
}

#[test]
fn a_table_that_doubles_at_every_step_is_given_up_as_a_whole() {
    let limit = BindLimits::default().steps;
    for table in ["/a => /a & /a", "/a => /a/b & /a & ~", "/a => (/a & /a) | /$/inet/1"] {
        assert_eq!(
            bind(&dtab(table), &path("/a"), namer::lookup),
            Err(BindError::TooManySteps { limit }),
            "{table}"
        );
    }
}

#[test]
fn a_name_that_grows_at_every_step_is_given_up() {
    let table = format!("/a => /a/{}", "b".repeat(32 * 1024));
    let limits = BindLimits { steps: 100_000, ..BindLimits::default() };
    let outcome = bind_within(&limits, &dtab(&table), &path("/a"), namer::lookup);
    assert_eq!(outcome, Err(BindError::TooManySteps { limit: limits.steps }));
}

#[test]
fn a_tree_of_too_many_destinations_is_given_up() {
    let limit = BindLimits::default().tree_bytes;
    // 2^16 destinations, or as many shares of traffic that go nowhere.
    for leaf in ["/$/inet/1", "$"] {
        let mut table = format!("/h16 => {leaf};");
        for level in 0..16 {
            write!(table, "/h{level} => /h{} & /h{};", level + 1, level + 1).unwrap();
        }
        assert_eq!(
            bind(&dtab(&table), &path("/h0"), namer::lookup),
            Err(BindError::TooLarge { limit }),
            "{leaf}"
        );
    }
}

/// Runs `work` with half the stack that a thread has by default; one that is too small aborts the whole test
/// run.
fn on_a_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(1024 * 1024).spawn(work).unwrap().join().unwrap()
}

#[test]
fn the_deepest_walk_fits_a_small_stack() {
    // As many trees in trees per lookup as text can hold, for as many lookups as are allowed.
    let tree = format!("{}/a{}", "(~ | ~ & ".repeat(MAX_PARENTHESES), ")".repeat(MAX_PARENTHESES));
    let table = dtab(&format!("/a => {tree}"));
    let outcome = on_a_small_stack(move || bind(&table, &path("/a"), namer::lookup));
    assert_eq!(outcome, Err(BindError::TooNested { limit: BindLimits::default().nesting }));
}

#[test]
fn the_deepest_bound_tree_is_printed_and_dropped_on_a_small_stack() {
    let nested = |leaf: &str| {
        format!("{}{leaf}{}", "(/$/inet/1 & ".repeat(MAX_PARENTHESES), ")".repeat(MAX_PARENTHESES))
    };
    let hops = BindLimits::default().nesting / (MAX_PARENTHESES + 2);
    let mut table = format!("/h{hops} => /$/inet/2;");
    for hop in 0..hops {
        write!(table, "/h{hop} => {};", nested(&format!("/h{}", hop + 1))).unwrap();
    }
    let table = dtab(&table);
    let (leaves, printed) = on_a_small_stack(move || {
        let tree = bind(&table, &path("/h0"), namer::lookup).unwrap();
        (tree.leaves().len(), tree.to_string())
    });
    assert_eq!(leaves, hops * MAX_PARENTHESES + 1);
    assert_eq!(printed.matches('(').count(), leaves - 2);
}
