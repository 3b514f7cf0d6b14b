//! Columns under construction.
//!
//! The rule: every `append` adds exactly one cell, a null where the value does not fit, so that all
//! columns of a batch stay equally long whatever the records hold.

use std::borrow::Cow;

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder,
    TimestampMicrosecondBuilder,
};

use super::field::{data_type, element};
use super::json;
use super::problems::Mismatch;
use super::treatment::HashKey;
use crate::catalog::ColumnType;

/// One column under construction.
pub(super) enum ColumnBuilder {
    String(StringBuilder),
    Json(StringBuilder),
    Integer(Int64Builder),
    Double(Float64Builder),
    Boolean(BooleanBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Strings(ListBuilder<StringBuilder>),
}

impl ColumnBuilder {
    /// A column with room for so many rows and bytes of text.
    pub(super) fn new(kind: ColumnType, rows: usize, bytes: usize) -> Self {
        match kind {
            ColumnType::String => Self::String(StringBuilder::with_capacity(rows, bytes)),
            ColumnType::Json => Self::Json(StringBuilder::with_capacity(rows, bytes)),
            ColumnType::Integer => Self::Integer(Int64Builder::with_capacity(rows)),
            ColumnType::Double => Self::Double(Float64Builder::with_capacity(rows)),
            ColumnType::Boolean => Self::Boolean(BooleanBuilder::with_capacity(rows)),
            ColumnType::Timestamp => {
                let builder = TimestampMicrosecondBuilder::with_capacity(rows);
                Self::Timestamp(builder.with_data_type(data_type(kind)))
            }
            ColumnType::Strings => {
                Self::Strings(ListBuilder::with_capacity(StringBuilder::new(), rows).with_field(element()))
            }
        }
    }

    /// Bytes of text in the column, where it holds one a row.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::String(builder) | Self::Json(builder) => builder.values_slice().len(),
            Self::Integer(_) | Self::Double(_) | Self::Boolean(_) | Self::Timestamp(_) | Self::Strings(_) => 0,
        }
    }

    /// Appends the value with that JSON text, or a null if there is none.
    ///
    /// # Errors
    /// Why the value does not fit; a null stands in its place.
    pub(super) fn append(&mut self, value: Option<&str>) -> Result<(), Mismatch> {
        let Some(json) = value.filter(|json| json::kind(json).is_some()) else {
            self.append_null();
            return Ok(());
        };
        match self {
            Self::String(builder) => append(json::text(json), |text| builder.append_option(text)),
            Self::Json(builder) => append(Ok(json), |text| builder.append_option(text)),
            Self::Integer(builder) => append(json::integer(json), |number| builder.append_option(number)),
            Self::Double(builder) => append(json::double(json), |number| builder.append_option(number)),
            Self::Boolean(builder) => append(json::boolean(json), |value| builder.append_option(value)),
            Self::Timestamp(builder) => append(json::instant(json), |instant| builder.append_option(instant)),
            Self::Strings(_) => self.append_texts(json::texts(json)),
        }
    }

    /// Appends the hash of the value with that JSON text, or of each text in it.
    ///
    /// # Errors
    /// Why there is none; a null stands in its place.
    pub(super) fn append_hash(&mut self, value: Option<&str>, key: &HashKey) -> Result<(), Mismatch> {
        let Some(json) = value.filter(|json| json::kind(json).is_some()) else {
            self.append_null();
            return Ok(());
        };
        match self {
            Self::String(builder) => {
                append(json::text(json), |text| builder.append_option(text.map(|text| key.hash(&text))))
            }
            // A mask is no value, and would be taken for one: it is the same for many.
            Self::Json(_) if json::is_masked(json) => {
                self.append_null();
                Err(Mismatch::Masked)
            }
            Self::Json(builder) => {
                builder.append_value(key.hash(&json::compact(json)));
                Ok(())
            }
            Self::Strings(_) => self.append_texts(json::texts(json).map(|texts| key.hashes(&texts))),
            Self::Integer(_) | Self::Double(_) | Self::Boolean(_) | Self::Timestamp(_) => {
                self.append_null();
                Err(Mismatch::Type)
            }
        }
    }

    /// Appends a list, or a null if there is none to be had.
    ///
    /// # Errors
    /// The mismatch that is given, or that the column holds no lists.
    pub(super) fn append_texts(&mut self, texts: Result<Vec<Cow<'_, str>>, Mismatch>) -> Result<(), Mismatch> {
        let (Self::Strings(builder), Ok(texts)) = (&mut *self, &texts) else {
            self.append_null();
            return Err(texts.err().unwrap_or(Mismatch::Type));
        };
        for text in texts {
            builder.values().append_value(text);
        }
        builder.append(true);
        Ok(())
    }

    pub(super) fn append_null(&mut self) {
        match self {
            Self::String(builder) | Self::Json(builder) => builder.append_null(),
            Self::Integer(builder) => builder.append_null(),
            Self::Double(builder) => builder.append_null(),
            Self::Boolean(builder) => builder.append_null(),
            Self::Timestamp(builder) => builder.append_null(),
            Self::Strings(builder) => builder.append_null(),
        }
    }

    pub(super) fn finish(mut self) -> ArrayRef {
        let builder: &mut dyn ArrayBuilder = match &mut self {
            Self::String(builder) | Self::Json(builder) => builder,
            Self::Integer(builder) => builder,
            Self::Double(builder) => builder,
            Self::Boolean(builder) => builder,
            Self::Timestamp(builder) => builder,
            Self::Strings(builder) => builder,
        };
        builder.finish()
    }
}

fn append<T>(value: Result<T, Mismatch>, add: impl FnOnce(Option<T>)) -> Result<(), Mismatch> {
    match value {
        Ok(value) => {
            add(Some(value));
            Ok(())
        }
        Err(mismatch) => {
            add(None);
            Err(mismatch)
        }
    }
}
