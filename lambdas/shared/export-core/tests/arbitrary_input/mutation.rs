//! Changes to a JSON value that keep most of its structure, as a person's edit or another version's event does.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::json::{any_json, field_name, text, wrapped};

#[derive(Debug, Clone)]
pub enum Change {
    Replace(Value),
    Drop,
    /// An element of a list, so many times more; a field, once under another name.
    Repeat(usize, String),
    Rename(String),
    /// Another part of the value.
    Splice(prop::sample::Index),
    Wrap(usize, String),
    /// Split a text at a character, and insert another text.
    Edit(prop::sample::Index, String),
}

#[derive(Debug, Clone)]
pub struct Mutation {
    at: prop::sample::Index,
    change: Change,
}

pub fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let change = prop_oneof![
        4 => any_json().prop_map(Change::Replace),
        3 => Just(Change::Drop),
        2 => (prop_oneof![9 => 1usize..4, 1 => 4usize..200], field_name()).prop_map(|(times, name)| Change::Repeat(times, name)),
        3 => field_name().prop_map(Change::Rename),
        3 => any::<prop::sample::Index>().prop_map(Change::Splice),
        1 => (1usize..40, field_name()).prop_map(|(depth, name)| Change::Wrap(depth, name)),
        6 => (any::<prop::sample::Index>(), text()).prop_map(|(place, text)| Change::Edit(place, text)),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), change).prop_map(|(at, change)| Mutation { at, change }), 1..5)
}

pub fn mutated(mut value: Value, mutations: &[Mutation]) -> Value {
    for mutation in mutations {
        let places = places(&value);
        let place = mutation.at.get(&places).clone();
        apply(&mut value, &place, &places, &mutation.change);
    }
    value
}

/// JSON pointers to every value inside, the whole one included.
pub fn places(value: &Value) -> Vec<String> {
    fn walk(value: &Value, at: String, places: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| walk(item, format!("{at}/{index}"), places)),
            Value::Object(fields) => fields.iter().for_each(|(name, field)| walk(field, format!("{at}/{}", escaped(name)), places)),
            _ => {}
        }
        places.push(at);
    }
    let mut places = Vec::new();
    walk(value, String::new(), &mut places);
    places
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescaped(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

fn apply(root: &mut Value, place: &str, places: &[String], change: &Change) {
    match change {
        Change::Replace(value) => *at(root, place) = value.clone(),
        Change::Splice(other) => *at(root, place) = at(root, other.get::<String>(places)).clone(),
        Change::Wrap(depth, name) => {
            let target = at(root, place);
            *target = wrapped(target.take(), *depth, name);
        }
        Change::Edit(cut, text) => edit(at(root, place), cut, text),
        Change::Drop | Change::Repeat(..) | Change::Rename(_) => {
            if let Some((parent, last)) = place.rsplit_once('/') {
                restructure(at(root, parent), &unescaped(last), change);
            }
        }
    }
}

fn at<'a>(root: &'a mut Value, place: &str) -> &'a mut Value {
    root.pointer_mut(place).expect("the places are those of this value")
}

fn edit(target: &mut Value, cut: &prop::sample::Index, text: &str) {
    let Some(old) = target.as_str() else {
        // A value of another type becomes a text.
        *target = json!(target.to_string());
        return;
    };
    let ends: Vec<usize> = old.char_indices().map(|(index, _)| index).chain([old.len()]).collect();
    let place = *cut.get(&ends);
    let rest = old[place..].chars().skip(text.len() % 2).collect::<String>();
    *target = json!(format!("{}{text}{rest}", &old[..place]));
}

fn restructure(parent: &mut Value, last: &str, change: &Change) {
    match (parent, change) {
        (Value::Array(items), _) => {
            let index: usize = last.parse().expect("an index");
            match change {
                Change::Repeat(times, _) => items.extend(vec![items[index].clone(); *times]),
                _ => drop(items.remove(index)),
            }
        }
        (Value::Object(fields), Change::Repeat(_, name)) => drop(fields.insert(name.clone(), fields[last].clone())),
        (Value::Object(fields), Change::Rename(name)) => {
            let value = fields.remove(last).expect("a field");
            fields.insert(name.clone(), value);
        }
        (Value::Object(fields), _) => drop(fields.remove(last)),
        _ => unreachable!("a place inside a scalar"),
    }
}
