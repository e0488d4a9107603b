//! Template text to tokens, with the white-space rules of `trim_blocks` and `lstrip_blocks`.

use crate::error::{Error, ErrorKind, Result, syntax};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    Data(String),
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name(String),
    Str(String),
    Int(i128),
    Float(f64),
    Op(&'static str),
    End,
}

/// Operators, longest first.
const OPERATORS: &[&str] = &[
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".",
    ":", "|", ",", ";",
];

/// What Python calls white space.
pub(crate) fn is_space(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '\u{1c}'..='\u{1f}')
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    line: usize,
    tokens: Vec<(Token, usize)>,
    /// Whether the last match ended a line.
    line_starting: bool,
}

/// The tokens of a template, each with its line, and `End` at the end.
pub(crate) fn tokenize(source: &str) -> Result<Vec<(Token, usize)>> {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let source = source.strip_suffix('\n').unwrap_or(&source);
    let mut lexer = Lexer { source, at: 0, line: 1, tokens: Vec::new(), line_starting: true };
    lexer.root()?;
    let line = lexer.line;
    lexer.tokens.push((Token::End, line));
    Ok(lexer.tokens)
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn push(&mut self, token: Token) {
        self.tokens.push((token, self.line));
    }

    /// Moves on over `bytes` bytes and counts their lines.
    fn skip(&mut self, bytes: usize) {
        let skipped = &self.source[self.at..self.at + bytes];
        self.line += skipped.matches('\n').count();
        self.line_starting = skipped.ends_with('\n');
        self.at += bytes;
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        let spaces = rest.len() - rest.trim_start_matches(is_space).len();
        if spaces > 0 {
            self.skip(spaces);
        }
    }

    fn root(&mut self) -> Result<()> {
        loop {
            let rest = self.rest();
            let Some((at, kind)) = next_tag(rest) else {
                if !rest.is_empty() {
                    self.push(Token::Data(rest.to_owned()));
                    self.skip(rest.len());
                }
                return Ok(());
            };
            let sign = rest[at + 2..].chars().next().filter(|sign| matches!(sign, '-' | '+'));
            let text = self.stripped(&rest[..at], sign, kind != '{');
            if !text.is_empty() {
                self.push(Token::Data(text.to_owned()));
            }
            self.skip(at + 2 + usize::from(sign.is_some()));
            match kind {
                '#' => self.comment()?,
                '{' => {
                    self.push(Token::VariableBegin);
                    self.tag(Token::VariableEnd)?;
                }
                _ if self.raw_begins() => self.raw()?,
                _ => {
                    self.push(Token::BlockBegin);
                    self.tag(Token::BlockEnd)?;
                }
            }
        }
    }

    /// Text before a tag, without the white space that the tag takes away.
    fn stripped<'t>(&self, text: &'t str, sign: Option<char>, lstrip: bool) -> &'t str {
        match sign {
            Some('-') => text.trim_end_matches(is_space),
            None if lstrip => {
                let line = text.rfind('\n').map_or(0, |at| at + 1);
                let blank = text[line..].chars().all(is_space);
                if blank && (line > 0 || self.line_starting) { &text[..line] } else { text }
            }
            _ => text,
        }
    }

    /// Whether `raw %}` follows; moves behind it if so.
    fn raw_begins(&mut self) -> bool {
        let Some(after) = self.rest().trim_start_matches(is_space).strip_prefix("raw") else { return false };
        let after = after.trim_start_matches(is_space);
        if let Some(after) = after.strip_prefix("-%}") {
            let after = after.trim_start_matches(is_space);
            self.skip(self.rest().len() - after.len());
            return true;
        }
        if let Some(after) = after.strip_prefix("%}") {
            self.skip(self.rest().len() - after.len());
            return true;
        }
        false
    }

    fn raw(&mut self) -> Result<()> {
        let rest = self.rest();
        let mut from = 0;
        while let Some(at) = rest[from..].find("{%").map(|at| at + from) {
            from = at + 2;
            let inside = &rest[from..];
            let sign = inside.chars().next().filter(|sign| matches!(sign, '-' | '+'));
            let inside = inside[usize::from(sign.is_some())..].trim_start_matches(is_space);
            let Some(inside) = inside.strip_prefix("endraw") else { continue };
            let Some(end) = block_end(inside.trim_start_matches(is_space)) else { continue };
            let text = self.stripped(&rest[..at], sign, true);
            if !text.is_empty() {
                self.push(Token::Data(text.to_owned()));
            }
            self.skip(rest.len() - inside.trim_start_matches(is_space).len() + end);
            return Ok(());
        }
        Err(syntax(self.line, "Missing end of raw directive"))
    }

    fn comment(&mut self) -> Result<()> {
        let rest = self.rest();
        let Some(at) = rest.find("#}") else { return Err(syntax(self.line, "Missing end of comment tag")) };
        let after = &rest[at + 2..];
        match rest[..at].chars().next_back() {
            Some('-') => {
                self.skip(at + 2);
                self.skip_spaces();
            }
            Some('+') => self.skip(at + 2),
            _ => self.skip(at + 2 + usize::from(after.starts_with('\n'))),
        }
        Ok(())
    }

    /// The tokens inside `{{ }}` or `{% %}`, with the end.
    fn tag(&mut self, end: Token) -> Result<()> {
        let mut open = Vec::new();
        loop {
            let rest = self.rest();
            if open.is_empty() {
                let length = if end == Token::BlockEnd { block_end(rest) } else { variable_end(rest) };
                if let Some(length) = length {
                    self.push(end);
                    self.skip(length);
                    return Ok(());
                }
            }
            let Some(letter) = rest.chars().next() else {
                // The parser says what is missing.
                return Ok(());
            };
            if is_space(letter) {
                self.skip_spaces();
            } else if letter.is_ascii_digit() {
                self.number()?;
            } else if letter == '_' || letter.is_alphanumeric() {
                self.name(rest)?;
            } else if matches!(letter, '\'' | '"') {
                self.string(letter)?;
            } else {
                self.operator(&mut open)?;
            }
        }
    }

    fn operator(&mut self, open: &mut Vec<&'static str>) -> Result<()> {
        let rest = self.rest();
        let Some(&operator) = OPERATORS.iter().find(|operator| rest.starts_with(**operator)) else {
            let letter = rest.chars().next().unwrap_or_default();
            return Err(syntax(self.line, format!("unexpected char {letter:?} at {}", self.at)));
        };
        match operator {
            "{" => open.push("}"),
            "(" => open.push(")"),
            "[" => open.push("]"),
            "}" | ")" | "]" => match open.pop() {
                None => return Err(syntax(self.line, format!("unexpected '{operator}'"))),
                Some(expected) if expected != operator => {
                    return Err(syntax(self.line, format!("unexpected '{operator}', expected '{expected}'")));
                }
                Some(_) => {}
            },
            _ => {}
        }
        self.push(Token::Op(operator));
        self.skip(operator.len());
        Ok(())
    }

    fn name(&mut self, rest: &'s str) -> Result<()> {
        let length = rest.find(|letter: char| letter != '_' && !letter.is_alphanumeric()).unwrap_or(rest.len());
        let name = &rest[..length];
        if name.starts_with(char::is_numeric) {
            return Err(syntax(self.line, "Invalid character in identifier"));
        }
        self.push(Token::Name(name.to_owned()));
        self.skip(length);
        Ok(())
    }

    fn number(&mut self) -> Result<()> {
        let rest = self.rest();
        let after_dot = self.at > 0 && self.source.as_bytes()[self.at - 1] == b'.';
        let length = if after_dot { None } else { float_length(rest) };
        if let Some(length) = length {
            let digits = rest[..length].replace('_', "");
            let value = digits.parse().map_err(|_| syntax(self.line, "invalid float"))?;
            self.push(Token::Float(value));
            self.skip(length);
            return Ok(());
        }
        let bytes = rest.as_bytes();
        let radix = match bytes.get(1).map(u8::to_ascii_lowercase) {
            Some(b'x') if bytes[0] == b'0' => 16,
            Some(b'o') if bytes[0] == b'0' => 8,
            Some(b'b') if bytes[0] == b'0' => 2,
            _ => 10,
        };
        let (start, length) = match radix {
            10 if bytes[0] == b'0' => (0, digits_length(rest, |digit| digit == b'0')),
            10 => (0, digits_length(rest, |digit| digit.is_ascii_digit())),
            _ => (2, digits_length_after(rest, radix)),
        };
        // `0x` without digits is a zero and a name.
        let (start, radix, length) = if start == 2 && length == 0 { (0, 10, 1) } else { (start, radix, length) };
        let digits = rest[start..start + length].replace('_', "");
        let value = i128::from_str_radix(&digits, radix).map_err(|_| {
            Error::new(ErrorKind::Unsupported, format!("the integer {digits} is too large")).at(self.line)
        })?;
        self.push(Token::Int(value));
        self.skip(start + length);
        Ok(())
    }

    fn string(&mut self, quote: char) -> Result<()> {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.char_indices().skip(1).find(|&(_, letter)| {
            let ends = letter == quote && !escaped;
            escaped = letter == '\\' && !escaped;
            ends
        });
        let Some((end, _)) = end else {
            return Err(syntax(self.line, format!("unexpected char {quote:?} at {}", self.at)));
        };
        let text = unescape(&rest[1..end]).map_err(|error| error.at(self.line))?;
        self.push(Token::Str(text));
        self.skip(end + 1);
        Ok(())
    }
}

/// Where the next tag begins, and its second character: `%`, `{` or `#`.
fn next_tag(text: &str) -> Option<(usize, char)> {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(at) = text[from..].find('{').map(|at| at + from) {
        if let Some(kind) = bytes.get(at + 1).copied().filter(|kind| matches!(kind, b'%' | b'{' | b'#')) {
            return Some((at, char::from(kind)));
        }
        from = at + 1;
    }
    None
}

/// Length of `%}` and of what it takes away behind it.
fn block_end(text: &str) -> Option<usize> {
    if let Some(after) = text.strip_prefix("-%}") {
        return Some(text.len() - after.trim_start_matches(is_space).len());
    }
    if text.starts_with("+%}") {
        return Some(3);
    }
    let after = text.strip_prefix("%}")?;
    Some(2 + usize::from(after.starts_with('\n')))
}

fn variable_end(text: &str) -> Option<usize> {
    if let Some(after) = text.strip_prefix("-}}") {
        return Some(text.len() - after.trim_start_matches(is_space).len());
    }
    text.starts_with("}}").then_some(2)
}

/// Length of digits with single underscores between them.
fn digits_length(text: &str, is_digit: impl Fn(u8) -> bool) -> usize {
    let bytes = text.as_bytes();
    let mut length = 0;
    loop {
        let digit = |at: usize| bytes.get(at).is_some_and(|&byte| is_digit(byte));
        if digit(length) {
            length += 1;
        } else if length > 0 && bytes.get(length) == Some(&b'_') && digit(length + 1) {
            length += 2;
        } else {
            return length;
        }
    }
}

/// Length of the digits after `0x`, which may begin with an underscore.
fn digits_length_after(text: &str, radix: u32) -> usize {
    let digits = &text[2..];
    let skipped = usize::from(digits.starts_with('_'));
    match digits_length(&digits[skipped..], |digit| char::from(digit).is_digit(radix)) {
        0 => 0,
        length => skipped + length,
    }
}

fn float_length(text: &str) -> Option<usize> {
    let digits = |from: usize| digits_length(text.get(from..).unwrap_or_default(), |digit| digit.is_ascii_digit());
    let bytes = text.as_bytes();
    let mut length = digits(0);
    let mut is_float = false;
    if bytes.get(length) == Some(&b'.') && digits(length + 1) > 0 {
        length += 1 + digits(length + 1);
        is_float = true;
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
            is_float = true;
        }
    }
    is_float.then_some(length)
}

/// A string literal's text, as Python's `unicode-escape` codec reads it.
fn unescape(text: &str) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let letter = rest.chars().next().ok_or_else(|| syntax(0, "\\ at end of string"))?;
        rest = &rest[letter.len_utf8()..];
        match letter {
            '\n' => {}
            '\\' | '\'' | '"' => out.push(letter),
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'v' => out.push('\u{b}'),
            '0'..='7' => {
                let more = rest.bytes().take(2).take_while(|digit| (b'0'..=b'7').contains(digit)).count();
                let digits = format!("{letter}{}", &rest[..more]);
                rest = &rest[more..];
                out.push(code_point(&digits, 8)?);
            }
            'x' => rest = hexadecimal(rest, 2, &mut out)?,
            'u' => rest = hexadecimal(rest, 4, &mut out)?,
            'U' => rest = hexadecimal(rest, 8, &mut out)?,
            'N' => return Err(Error::new(ErrorKind::Unsupported, "\\N{name} in a string is not supported")),
            other if other.is_ascii() => out.extend(['\\', other]),
            // The codec sees the escaped form of what is not ASCII, behind an escaped backslash.
            other => {
                let code = u32::from(other);
                out.push('\\');
                out.push_str(&match code {
                    0..=0xff => format!("x{code:02x}"),
                    0x100..=0xffff => format!("u{code:04x}"),
                    _ => format!("U{code:08x}"),
                });
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn hexadecimal<'t>(text: &'t str, digits: usize, out: &mut String) -> Result<&'t str> {
    let code = text.get(..digits).filter(|code| code.bytes().all(|digit| digit.is_ascii_hexdigit()));
    out.push(code_point(code.ok_or_else(|| syntax(0, "truncated \\x, \\u or \\U escape"))?, 16)?);
    Ok(&text[digits..])
}

fn code_point(digits: &str, radix: u32) -> Result<char> {
    let code = u32::from_str_radix(digits, radix).map_err(|_| syntax(0, "illegal Unicode character"))?;
    match char::from_u32(code) {
        Some(letter) => Ok(letter),
        None if (0xd800..0xe000).contains(&code) => {
            Err(Error::new(ErrorKind::Unsupported, "half a surrogate pair in a string is not supported"))
        }
        None => Err(syntax(0, "illegal Unicode character")),
    }
}
