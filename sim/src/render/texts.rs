//! The words that people write, prepared as JSON once: languages, quotes, newlines, markup and very long texts.

use std::sync::LazyLock;

use crate::rng::Dice;

/// A text as JSON string contents, with its length in characters.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) json: String,
    pub(crate) chars: usize,
}

impl Prepared {
    fn new(text: &str) -> Self {
        let quoted = serde_json::Value::from(text).to_string();
        let json = quoted.get(1..quoted.len() - 1).unwrap_or("").to_owned();
        Self { json, chars: text.chars().count() }
    }
}

const PLAIN: [&str; 24] = [
    "Hi, my order has not arrived yet. Could you check, please?",
    "Thanks, that explains it.",
    "I have forwarded this to the warehouse team and will come back to you within 24 hours.",
    "The tracking page has shown the same status since Monday.",
    "Where can I change my delivery address?",
    "We have refunded the amount to your original payment method.",
    "It may take up to five business days until it shows on your statement.",
    "Can I still add an item to the order that I placed this morning?",
    "The blue one is sold out, but the green one ships today.",
    "Please find the photo of the broken lid attached.",
    "Is there a discount for returning customers?",
    "Your parcel is waiting at the pick-up point; bring the code that we sent you.",
    "I waited for forty minutes on the phone and nobody answered.",
    "We are sorry for the trouble, and we have added a voucher to your account.",
    "Please close my account and delete my data.",
    "The invoice shows the wrong company name.",
    "Could somebody call me back in the afternoon?",
    "I have tried that already, it did not help.",
    "The zipper broke on the second day.",
    "Please use the return label in your account.",
    "Does the warranty cover water damage?",
    "We have reset your password; the link is valid for one hour.",
    "Carrier confirms the parcel is at the local depot.",
    "All good now, you can close this.",
];

const ODD: [&str; 14] = [
    "He said \"tomorrow\", then \"next week\" \\ and then nothing.",
    "Line one\nLine two\r\n\tindented line three",
    "Guten Tag, können Sie die Größe noch ändern? Viele Grüße",
    "¿Dónde está mi pedido? ¡Gracias!",
    "注文した商品がまだ届いていません。確認をお願いします。",
    "مرحبا، أين طلبي؟",
    "Great service 🎉👍🏽 – 10/10 👩‍👩‍👧",
    "<p>Hello &amp; welcome,</p><br/><blockquote>on Tue, somebody wrote:</blockquote>",
    "a; b, c | d\te \"f\" 'g' `h` ${i} {{j}} %k%",
    "N/A",
    "null",
    "0012345678901234567890",
    "zero\u{200b}width and non\u{a0}breaking, bell\u{7}, line\u{2028}separator",
    "2026-10-22T15:20:06.011Z",
];

const SUBJECTS: [&str; 10] = [
    "Where is my order?",
    "Re: Where is my order?",
    "Refund",
    "Question about \"Premium\"",
    "Änderung der Adresse",
    "Fwd: Invoice 2291",
    "【重要】ご注文について",
    "Broken lid",
    "(no subject)",
    "Feedback 😀",
];

/// Every text of the simulated organisation.
#[derive(Debug)]
pub(crate) struct Texts {
    plain: Vec<Prepared>,
    odd: Vec<Prepared>,
    long: Vec<Prepared>,
    subjects: Vec<Prepared>,
}

pub(crate) static TEXTS: LazyLock<Texts> = LazyLock::new(Texts::new);

impl Texts {
    fn new() -> Self {
        let prepare = |texts: &[&str]| texts.iter().map(|text| Prepared::new(text)).collect();
        let long = (1..=4).map(|times| Prepared::new(&PLAIN.join("\n").repeat(times))).collect();
        Self { plain: prepare(&PLAIN), odd: prepare(&ODD), long, subjects: prepare(&SUBJECTS) }
    }

    pub(crate) fn subject(&self, dice: &mut Dice) -> &str {
        dice.pick(&self.subjects).map_or("", |text| &text.json)
    }

    /// A few sentences; seldom a very long text, now and then an odd one.
    pub(crate) fn sentences<'a>(&'a self, dice: &mut Dice) -> Sentences<'a> {
        let mut parts = [None; 4];
        match dice.below(1_000) {
            0..5 => parts[0] = dice.pick(&self.long),
            5..180 => parts[0] = dice.pick(&self.odd),
            _ => {
                let count = crate::rng::index(dice.below(4)) + 1;
                parts.iter_mut().take(count).for_each(|part| *part = dice.pick(&self.plain));
            }
        }
        Sentences { parts }
    }
}

/// Up to four prepared texts, with a space between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sentences<'a> {
    parts: [Option<&'a Prepared>; 4],
}

impl Sentences<'_> {
    fn parts(&self) -> impl Iterator<Item = &Prepared> {
        self.parts.iter().copied().flatten()
    }

    /// Length in characters of the whole.
    pub(crate) fn chars(&self) -> usize {
        let count = self.parts().count();
        self.parts().map(|part| part.chars).sum::<usize>() + count.saturating_sub(1)
    }

    /// The pieces of the JSON string contents.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let spaced = self.parts().enumerate();
        spaced.flat_map(|(place, part)| {
            let gap: &[u8] = if place == 0 { b"" } else { b" " };
            [gap, part.json.as_bytes()]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_valid_json_of_the_stated_length() {
        for seed in 0..2_000 {
            let sentences = TEXTS.sentences(&mut Dice::new(seed));
            let contents: Vec<u8> = sentences.pieces().flatten().copied().collect();
            let json = format!("\"{}\"", String::from_utf8(contents).unwrap());
            let text: String = serde_json::from_str(&json).unwrap();
            assert_eq!(text.chars().count(), sentences.chars());
        }
    }
}
