//! Prints the public items of a crate from the JSON that rustdoc made of it, each once: what a trait
//! asks for is listed at the trait, and not again wherever it is implemented.

use std::{collections::HashSet, env, error::Error, process::ExitCode};

use public_api::PublicItem;

fn main() -> ExitCode {
    match list() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn list() -> Result<(), Box<dyn Error>> {
    let path = env::args_os()
        .nth(1)
        .ok_or("usage: wharf-api <rustdoc.json>")?;
    let api = public_api::Builder::from_rustdoc_json(path)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()?;
    let implementations: HashSet<_> = api
        .items()
        .filter(|item| implements(item))
        .map(PublicItem::id)
        .collect();
    let mut listed = HashSet::new();
    for item in api.items() {
        let of_a_trait = item
            .parent_id()
            .is_some_and(|parent| implementations.contains(&parent));
        if is_heading(item) || (of_a_trait && is_function(item)) {
            continue;
        }
        if listed.insert(item.id()) {
            println!("{item}");
        }
    }
    Ok(())
}

/// Whether it is the line of a trait's implementation, whose functions the trait has said.
fn implements(item: &PublicItem) -> bool {
    let line = item.to_string();
    line.starts_with("impl") && line.contains(" for ")
}

/// Whether it is the line over a type's own functions, each of which names the type.
fn is_heading(item: &PublicItem) -> bool {
    item.to_string().starts_with("impl") && !implements(item)
}

fn is_function(item: &PublicItem) -> bool {
    item.to_string().contains(" fn ")
}
