//! Filters that compare items.

use std::collections::HashSet;

use super::{attribute_path, follow};
use crate::arguments::CallArgs;
use crate::budget::Meter;
use crate::error::{Result, runtime};
use crate::iterate;
use crate::methods::strings_shape::lower;
use crate::ops;
use crate::value::{Dict, Key, Seq, Value};

pub(super) fn call(name: &str, value: &Value, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    match name {
        "dictsort" => dict_sort(value, args, meter),
        "sort" => {
            let mut args = args.bind(name, &["reverse", "case_sensitive", "attribute"], 0)?;
            let (reverse, sensitive) = (args.is_true(0), args.is_true(1));
            let paths = paths(&args.take(2), meter)?;
            let items = iterate::list(value, meter)?;
            let mut keys = Vec::with_capacity(items.len());
            for item in &items {
                let mut parts = Vec::with_capacity(paths.len());
                for path in &paths {
                    parts.push(folded(follow(item, path, None, meter)?, sensitive, meter)?);
                }
                keys.push(if parts.len() == 1 { parts.remove(0) } else { Value::list(parts, meter)? });
            }
            let order = order_of(&keys, reverse, meter)?;
            Value::list(order.into_iter().map(|at| items[at].clone()).collect(), meter)
        }
        "unique" => unique(value, args, meter),
        "min" | "max" => extreme(name, value, args, meter),
        _ => group_by(value, args, meter),
    }
}

/// Strings in lower case unless case matters.
fn folded(value: Value, case_sensitive: bool, meter: &Meter<'_>) -> Result<Value> {
    match value {
        Value::Str(text) if !case_sensitive => Ok(Value::Str(lower(&text, meter)?)),
        other => Ok(other),
    }
}

/// The paths of `attribute='a.b,c'`.
fn paths(attribute: &Value, meter: &Meter<'_>) -> Result<Vec<Vec<Value>>> {
    match attribute {
        Value::Str(text) => {
            text.as_str().split(',').map(|path| attribute_path(&Value::template_str(path, meter)?, meter)).collect()
        }
        other => Ok(vec![attribute_path(other, meter)?]),
    }
}

/// The stable order of keys, as Python's `sorted` gives it.
pub(crate) fn order_of(keys: &[Value], reverse: bool, meter: &Meter<'_>) -> Result<Vec<usize>> {
    let _room = meter.allocate(keys.len(), 2 * size_of::<usize>())?;
    let mut order: Vec<usize> = (0..keys.len()).collect();
    let mut merged = order.clone();
    let mut width = 1;
    // Whether the right one goes before the left one.
    let before = |right: usize, left: usize| {
        let (low, high) = if reverse { (left, right) } else { (right, left) };
        Ok::<_, crate::Error>(ops::order("<", &keys[low], &keys[high], meter)? == Some(std::cmp::Ordering::Less))
    };
    while width < keys.len() {
        for start in (0..keys.len()).step_by(2 * width) {
            let (middle, end) = ((start + width).min(keys.len()), (start + 2 * width).min(keys.len()));
            let (mut left, mut right) = (start, middle);
            for slot in &mut merged[start..end] {
                let from_right = left == middle || right < end && before(order[right], order[left])?;
                let next = if from_right { &mut right } else { &mut left };
                *slot = order[*next];
                *next += 1;
            }
        }
        std::mem::swap(&mut order, &mut merged);
        width *= 2;
    }
    Ok(order)
}

fn dict_sort(value: &Value, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    let args = args.bind("dictsort", &["case_sensitive", "by", "reverse"], 0)?;
    let by_value = match args.get(1) {
        None => false,
        Some(Value::Str(by)) if by.as_str() == "key" => false,
        Some(Value::Str(by)) if by.as_str() == "value" => true,
        Some(_) => return Err(runtime("You can only sort by either \"key\" or \"value\"")),
    };
    let Value::Dict(dict) = value.defined()? else {
        return Err(runtime(format!("'{}' object has no attribute 'items'", value.type_name())));
    };
    let key = |(key, value): &(Value, Value)| {
        folded(if by_value { value.clone() } else { key.clone() }, args.is_true(0), meter)
    };
    let keys = dict.entries.iter().map(key).collect::<Result<Vec<_>>>()?;
    let pair = |at: usize| {
        let (key, value) = dict.entries[at].clone();
        Value::tuple(vec![key, value], meter)
    };
    let order = order_of(&keys, args.is_true(2), meter)?;
    Value::list(order.into_iter().map(pair).collect::<Result<_>>()?, meter)
}

fn unique(value: &Value, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    let mut args = args.bind("unique", &["case_sensitive", "attribute"], 0)?;
    let sensitive = args.is_true(0);
    let path = attribute_path(&args.take(1), meter)?;
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    for item in iterate::list(value, meter)? {
        let key = folded(follow(&item, &path, None, meter)?, sensitive, meter)?;
        if seen.insert(Key::of(&key, meter)?) {
            kept.push(item);
        }
    }
    Value::generator(kept, None, meter)
}

fn extreme(name: &str, value: &Value, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    let mut args = args.bind(name, &["case_sensitive", "attribute"], 0)?;
    let sensitive = args.is_true(0);
    let path = attribute_path(&args.take(1), meter)?;
    let mut best: Option<(Value, Value)> = None;
    for item in iterate::list(value, meter)? {
        let key = folded(follow(&item, &path, None, meter)?, sensitive, meter)?;
        let better = match &best {
            None => true,
            Some((_, held)) if name == "min" => ops::order("<", &key, held, meter)? == Some(std::cmp::Ordering::Less),
            Some((_, held)) => ops::order(">", &key, held, meter)? == Some(std::cmp::Ordering::Greater),
        };
        if better {
            best = Some((item, key));
        }
    }
    Ok(best.map_or_else(|| Value::undefined("No aggregated item, sequence was empty."), |(item, _)| item))
}

fn group_by(value: &Value, args: CallArgs, meter: &Meter<'_>) -> Result<Value> {
    let mut args = args.bind("groupby", &["attribute", "default", "case_sensitive"], 1)?;
    let path = attribute_path(&args.take(0), meter)?;
    let default = args.some(1).cloned();
    let sensitive = args.is_true(2);
    let items = iterate::list(value, meter)?;
    let real = items.iter().map(|item| follow(item, &path, default.as_ref(), meter)).collect::<Result<Vec<_>>>()?;
    let keys = real.iter().map(|key| folded(key.clone(), sensitive, meter)).collect::<Result<Vec<_>>>()?;
    let mut groups: Vec<(usize, Vec<Value>)> = Vec::new();
    for at in order_of(&keys, false, meter)? {
        match groups.last_mut() {
            Some((first, group)) if ops::equal(&keys[*first], &keys[at], meter)? => group.push(items[at].clone()),
            _ => groups.push((at, vec![items[at].clone()])),
        }
    }
    let group = |(first, members): (usize, Vec<Value>)| {
        let key = real[first].clone();
        Ok(Value::Tuple(Seq::with_group(vec![key, Value::list(members, meter)?], true, meter)?))
    };
    Value::list(groups.into_iter().map(group).collect::<Result<_>>()?, meter)
}

/// A dict with its keys sorted, and those of the dicts in it.
pub(crate) fn sorted_dict(dict: &Dict, meter: &Meter<'_>) -> Result<Vec<(Value, Value)>> {
    let keys: Vec<Value> = dict.entries.iter().map(|(key, _)| key.clone()).collect();
    Ok(order_of(&keys, false, meter)?.into_iter().map(|at| dict.entries[at].clone()).collect())
}
