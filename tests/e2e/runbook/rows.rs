//! Rows of the table: one is damaged, and mended as the page about operations says.

use aws_sdk_dynamodb::types::AttributeValue;
use harness::failure::OrFailure;
use harness::ledger::Item;
use harness::{Deployment, Failure, Result};
use serde_json::Value;

use crate::bench::Bench;

/// A row with a field that is not what it should be.
pub struct Damaged {
    pub pk: String,
    pub sk: String,
    field: &'static str,
}

impl Damaged {
    /// Damages the first row whose keys begin like this. `also` changes further fields.
    pub async fn row(
        deployment: &Deployment,
        keys: (&str, &str),
        field: &'static str,
        also: impl FnOnce(&mut Item),
    ) -> Result<Self> {
        let text = |row: &Item, name: &str| row.get(name).and_then(|v| v.as_s().ok()).cloned().unwrap_or_default();
        let rows = deployment.rows().await?;
        let is_it = |row: &&Item| text(row, "pk").starts_with(keys.0) && text(row, "sk").starts_with(keys.1);
        let mut row = rows.iter().find(is_it).or_failure(|| format!("there is no row {keys:?}"))?.clone();
        let right = row.get(field).or_failure(|| format!("{keys:?} has no {field}: {row:?}"))?.clone();
        row.insert("kept".to_owned(), right);
        row.insert(field.to_owned(), AttributeValue::S("damaged".to_owned()));
        also(&mut row);
        let (pk, sk) = (text(&row, "pk"), text(&row, "sk"));
        let put = deployment.dynamodb().put_item().table_name(&deployment.outputs.table_name);
        put.set_item(Some(row)).send().await.or_failure(|| "cannot write a row")?;
        Ok(Self { pk, sk, field })
    }

    /// Saves the row, and corrects the field.
    pub async fn mend(&self, bench: &Bench) -> Result<()> {
        let of_row = |command: String| command.replace("<row.pk>", &self.pk).replace("<row.sk>", &self.sk);
        bench.operator.run(&of_row(bench.rows.command("get-item")?)).await?;
        let file = bench.operator.directory.join("row.json");
        let text = std::fs::read_to_string(&file).or_failure(|| "the command wrote no row.json")?;
        let row: Value = serde_json::from_str(&text).or_failure(|| format!("no row: {text}"))?;
        let row = &row["Item"];
        if row[self.field]["S"] != "damaged" {
            return Err(Failure::new(format!("{} is not shown as damaged: {row}", self.field)));
        }
        let correct = of_row(bench.rows.command("update-item")?).replace("<field>", self.field);
        bench.operator.run(&correct.replace("<value>", &row["kept"].to_string())).await.map(drop)
    }
}
