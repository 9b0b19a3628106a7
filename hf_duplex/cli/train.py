"""`hf-duplex train`."""

import typer


def train(ctx: typer.Context) -> None:
    """Train an adapter or a generator: CONFIG.yaml, then --any_field value. [dim]--help lists all fields.[/]

    A duplex adapter teaches a pretrained model that you have to listen
    (model_type adapter, --base smollm2, a folder or a Hub name); the other
    model types are generators from scratch. --data takes conversations of
    your own, one JSON object a line.

    [bold]Examples[/]

    [cyan]hf-duplex train examples/configs/adapter_smollm2.yaml --output_dir runs/adapter[/]

    [cyan]hf-duplex train --model_type adapter --base smollm2 --data my.jsonl --max_steps 500 --output_dir runs/mine[/]

    [cyan]hf-duplex train examples/configs/all_families.yaml --model_type workspace --output_dir runs/workspace[/]
    """
    from ..training.train import main as train_main

    train_main(ctx.args)
