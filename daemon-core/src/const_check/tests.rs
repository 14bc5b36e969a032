use super::*;

/// Walks a graph as the generated functions do.
fn walk(edges: &[(&'static str, &[(&'static str, bool)])], at: &'static str, trail: &mut Trail) {
    if trail.enter(at, true) {
        let of = edges.iter().find(|(name, _)| *name == at).map_or(&[][..], |(_, of)| of);
        for (next, wanted) in of {
            if *wanted {
                trail.wants()
            } else {
                trail.requires()
            }
            walk(edges, next, trail);
        }
        trail.leave();
    }
}

fn cycle(edges: &[(&'static str, &[(&'static str, bool)])], from: &'static str) -> Option<String> {
    let mut trail = Trail::start();
    walk(edges, from, &mut trail);
    trail.cycle().map(|text| text.as_str().to_owned())
}

#[test]
fn a_cycle_is_told_once_and_in_words() {
    let edges: &[(_, &[_])] =
        &[("data", &[("metrics", false)]), ("metrics", &[("user", true)]), ("user", &[("data", false)])];
    let told = "dependency cycle: `data` requires `metrics`, which wants `user`, which requires `data`; remove one, or use `#[on_ready(..)]` for it";
    assert_eq!(cycle(edges, "data").as_deref(), Some(told));
    assert_eq!(cycle(edges, "metrics"), None);
    assert_eq!(cycle(edges, "user"), None);
}

#[test]
fn a_daemon_on_itself_is_a_cycle() {
    let edges: &[(_, &[_])] = &[("user", &[("user", false)])];
    assert_eq!(cycle(edges, "user").as_deref(), Some("dependency cycle: `user` requires itself; remove it"));
}

#[test]
fn a_wide_graph_is_walked_once() {
    // Every daemon requires all that follow: without rule 2 this is 2^25 steps.
    let letters = "abcdefghijklmnopqrstuvwxyz";
    let names: Vec<&'static str> = (0..letters.len()).map(|i| &letters[i..=i]).collect();
    let all: Vec<Vec<_>> =
        (0..names.len()).map(|i| names[i + 1..].iter().map(|name| (*name, false)).collect()).collect();
    let edges: Vec<(_, &[_])> = names.iter().zip(&all).map(|(name, of)| (*name, &of[..])).collect();
    assert_eq!(cycle(&edges, names[0]), None);
}

#[test]
fn a_long_text_is_cut_between_parts() {
    let mut text = Text::of(&["é".repeat(500).as_str()]);
    text.push(&["a part that does not fit any more"]);
    text.push(&["nor this"]);
    assert!(text.as_str().ends_with("éé.."));
}
