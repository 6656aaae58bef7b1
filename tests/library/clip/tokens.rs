//! Token ids of 200 prompts.

use gia_gpu::clip::Tokens;

use super::encoders::folder;

const CONTEXT: usize = 77;

#[test]
fn ids_of_200_prompts_are_the_reference_tokenisers() {
    let text = std::fs::read_to_string(folder("tokens.json")).unwrap();
    let prompts: Vec<(String, Vec<usize>)> = serde_json::from_str(&text).unwrap();
    assert_eq!(prompts.len(), 200);
    let tokens = Tokens::new();
    let wrong: Vec<_> = prompts.iter().filter(|(text, ids)| tokens.text(text, CONTEXT).ids != *ids).collect();
    let show = |(text, ids): &&(String, Vec<usize>)| {
        format!("{text:?}: expected {ids:?}, found {:?}", tokens.text(text, CONTEXT).ids)
    };
    assert!(
        wrong.is_empty(),
        "{} differ\n{}",
        wrong.len(),
        wrong.iter().map(show).collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn what_a_context_has_no_room_for_is_counted() {
    let tokens = Tokens::new();
    let long = "dog ".repeat(100);
    let text = tokens.text(&long, CONTEXT);
    assert_eq!((text.ids.len(), text.cut), (CONTEXT, 25));
    assert_eq!(tokens.count(&long), 100);
    assert_eq!(tokens.text("a dog", CONTEXT).cut, 0);
}
