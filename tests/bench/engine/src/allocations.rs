//! What the deployed programs ask the allocator for. A library that is loaded before the C library counts (`counting.c`). It
//! counts in runs of its own, so that no other figure has its time in it.
//!
//! The C compiler is the one that has linked this program.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::Result;
use crate::batches::{Batch, failed};
use crate::lambda::Function;
use crate::world::{World, root};

/// Of a record, which is an event or a delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Allocations {
    pub(crate) count: f64,
    pub(crate) bytes: f64,
}

pub(crate) struct Counter {
    library: PathBuf,
    counted: PathBuf,
}

impl Counter {
    /// Compiled below `output`, where it counts as well.
    pub(crate) fn new(output: &Path) -> Result<Self> {
        let (library, counted) = (output.join("counting.so"), output.join("counted"));
        compile(&root().join("tests/bench/engine/counting.c"), &library, &["-O2", "-shared", "-fPIC"])?;
        Ok(Self { library, counted })
    }

    /// A new instance gets these batches. The first half is for practice.
    pub(crate) async fn count(&self, world: &World, function: &str, all: &[Batch<'_>]) -> Result<Allocations> {
        let mut environment = world.environment();
        environment.extend(self.begin()?);
        let mut instance = Function::start(&world.program(function), &environment, None).await?;
        let (practice, counted) = all.split_at(all.len() / 2);
        invoke(&mut instance, practice).await?;
        let before = self.read()?;
        if before.count == 0.0 {
            return Err(format!("{function} allocated nothing that was counted: is it linked statically?").into());
        }
        invoke(&mut instance, counted).await?;
        let after = self.read()?;
        instance.end().await?;
        let records = counted.iter().map(|batch| batch.messages.len()).sum::<usize>() as f64;
        Ok(Allocations { count: (after.count - before.count) / records, bytes: (after.bytes - before.bytes) / records })
    }

    /// Counts from nothing; returns what a program's environment needs for that.
    fn begin(&self) -> Result<[(String, String); 2]> {
        std::fs::write(&self.counted, [0; 16])?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        Ok([("LD_PRELOAD".to_owned(), text(&self.library)), ("COUNTED_IN".to_owned(), text(&self.counted))])
    }

    /// What all of a program has asked for until now.
    fn read(&self) -> Result<Allocations> {
        let bytes = std::fs::read(&self.counted)?;
        let number = |at: usize| -> Result<f64> {
            let number = bytes.get(at..at + 8).ok_or("a count is missing")?;
            Ok(u64::from_ne_bytes(number.try_into()?) as f64)
        };
        Ok(Allocations { count: number(0)?, bytes: number(8)? })
    }
}

fn compile(source: &Path, output: &Path, options: &[&str]) -> Result<()> {
    let compiled = Command::new("cc").args(options).arg("-o").arg(output).arg(source).output();
    let compiled = compiled.map_err(|error| format!("cc, the C compiler: {error}"))?;
    if !compiled.status.success() {
        return Err(format!("{}: {}", source.display(), String::from_utf8_lossy(&compiled.stderr)).into());
    }
    Ok(())
}

async fn invoke(instance: &mut Function, batches: &[Batch<'_>]) -> Result<()> {
    for batch in batches {
        let answered = instance.invoke(batch.payload.clone()).await?;
        if !failed(&answered.body, batch.messages)?.is_empty() {
            return Err("a record of a healthy batch failed while allocations were counted".into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It asks for 1 + 2 × 3 + 5 + 16 + 64 bytes.
    const PROGRAM: &str = r"
        #include <stdlib.h>
        int main(void) {
            void *block = malloc(1);
            void *zeroed = calloc(2, 3);
            block = realloc(block, 5);
            void *aligned = aligned_alloc(16, 16);
            void *other = NULL;
            int failed = posix_memalign(&other, 64, 64);
            int is_wrong = failed || !block || ((char *)zeroed)[5] || (size_t)aligned % 16 || (size_t)other % 64;
            free(block); free(zeroed); free(aligned); free(other);
            return is_wrong;
        }";

    #[test]
    fn each_allocation_of_a_program_is_counted_once_and_works() {
        let directory = std::env::temp_dir().join(format!("counting-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let (source, program) = (directory.join("program.c"), directory.join("program"));
        std::fs::write(&source, PROGRAM).expect("a program");
        compile(&source, &program, &["-O0", "-fno-builtin"]).expect("compiled");
        let counter = Counter::new(&directory).expect("a counter");
        let environment = counter.begin().expect("a file");
        assert!(Command::new(&program).envs(environment).status().expect("it runs").success());
        assert_eq!(counter.read().expect("counts"), Allocations { count: 5.0, bytes: 92.0 });
        std::fs::remove_dir_all(&directory).expect("removed");
    }
}
