"""Tables with a line for each evaluated point."""

import pandas as pd
import torch


def point_table(**columns):
    """Return one line a point from tensors on any device, or arrays."""
    return pd.DataFrame({name: torch.as_tensor(values).cpu().numpy() for name, values in columns.items()})


def margin_table(split, index, y, prediction, margins):
    """Return split, index, label, prediction, margin of each point, and print their minimum and average."""
    table = point_table(index=index, label=y, prediction=prediction, margin=margins)
    table.insert(0, "split", split)
    print(f"{split}: {len(table)} points, minimum {table.margin.min():.4f}, average {table.margin.mean():.4f}")
    return table
