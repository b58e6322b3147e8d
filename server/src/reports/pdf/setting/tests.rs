use super::*;

const SIZE: f32 = 10.0;

fn setter() -> Setter {
    Setter::new(Fonts::load().unwrap())
}

fn text(line: &Line) -> String {
    line.atoms.iter().map(|atom| atom.c).collect()
}

fn texts(lines: &[Line]) -> Vec<String> {
    lines.iter().map(text).collect()
}

#[test]
fn lines_break_at_line_feeds_between_words_and_within_long_ones() {
    let lines = |text| texts(&setter().lines(Voice::Exact, SIZE, text, 45.0));
    assert_eq!(lines("aaa bbb cccccccccc"), ["aaa bbb", "ccccccc", "ccc"]);
    assert_eq!(lines("a\n\nb\r\nc"), ["a", "", "b", "c"]);
    assert_eq!(lines("aaa b\u{a0}b ccc"), ["aaa b\u{a0}b", "ccc"]);
    assert_eq!(lines(""), [""]);
}

#[test]
fn a_line_is_never_wider_than_its_room() {
    let mut setter = setter();
    let nasty = "e\u{301}\u{301}\u{301} 中文字 \u{202e}abc אבג 12 ".repeat(3) + &"W".repeat(80);
    for voice in [Voice::Text, Voice::Strong, Voice::Exact] {
        for room in [12_u16, 30, 100, 480] {
            let room = f32::from(room);
            for line in setter.lines(voice, SIZE, &nasty, room) {
                assert!(line.width <= room + 0.01, "{} in {room}: {}", line.width, text(&line));
            }
            assert!(setter.elided(voice, SIZE, &nasty, room).width <= room + 0.01);
        }
    }
}

#[test]
fn no_character_is_lost() {
    let mut setter = setter();
    let shown = |setter: &mut Setter, name| text(&setter.line(Voice::Text, SIZE, name));
    assert_eq!(shown(&mut setter, "Zoë Ångström"), "Zoë Ångström");
    assert_eq!(shown(&mut setter, "λόγος слово → ✓"), "λόγος слово → ✓");
    assert_eq!(shown(&mut setter, "中\u{1f600}\0"), "⟨U+4E2D⟩⟨U+1F600⟩⟨U+0000⟩");
    // What would turn a name round, or hide in it, is seen.
    assert_eq!(
        shown(&mut setter, "a\u{202e}b\u{200b}c\u{ad}\u{3000}"),
        "a⟨U+202E⟩b⟨U+200B⟩c⟨U+00AD⟩⟨U+3000⟩"
    );
}

#[test]
fn a_glyph_stands_for_one_character() {
    let mut setter = setter();
    let every: String = ('\u{20}'..'\u{3000}').collect();
    setter.line(Voice::Text, SIZE, &every);
    let mut seen = HashMap::new();
    for (&(voice, c), found) in &setter.found {
        let Some((face, _)) = found else { continue };
        let (glyph, _) = setter.fonts.glyph(*face, c).unwrap();
        let other = seen.insert((voice, *face, glyph), c);
        assert_eq!(other, None, "{c:?}");
    }
    assert!(seen.len() > 3000, "{}", seen.len());
}

#[test]
fn a_digest_breaks_between_its_groups() {
    let mut setter = setter();
    let digest = "0123456789abcdef".repeat(4);
    let room = 250.0;
    let lines = setter.digest(Voice::Exact, SIZE, &digest, room);
    assert!(lines.len() == 2 && lines.iter().all(|line| line.width <= room));
    assert!(lines.iter().all(|line| line.atoms.len() % GROUP == 0));
    assert_eq!(texts(&lines).concat(), digest);
    // Narrower than a group, and what is no digest.
    assert_eq!(texts(&setter.digest(Voice::Exact, SIZE, &digest, 30.0)).concat(), digest);
    assert_eq!(texts(&setter.digest(Voice::Exact, SIZE, "not a digest", 300.0)), ["not a digest"]);
}

#[test]
fn what_runs_to_the_left_is_turned_round_between_what_does_not() {
    let line = setter().line(Voice::Text, SIZE, "a אבג 12 b");
    let visual: String = line.visual().iter().map(|atom| atom.c).collect();
    assert_eq!(visual, "a 12 גבא b");
    // A point stays on its letter.
    let line = setter().line(Voice::Text, SIZE, "ש\u{5c1}ב");
    let visual: String = line.visual().iter().map(|atom| atom.c).collect();
    assert_eq!(visual, "בש\u{5c1}");
}
