"""Train a tiny model in as many processes as the first argument says; save what it predicts."""

import json
import logging
import os
import sys
import warnings

import numpy as np
import scvi
import torch

import txpert as tx

ENCODER = {
    "name": "gat",
    "options": {"n_layers": 2, "n_channels": 8, "n_input": 8, "dropout": 0.0},
}


def main(n_processes, held_out, folder):
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    scvi.settings.seed = 0
    adata = tx.datasets.toy()
    tx.pp.split(adata)
    if held_out == "in turn":
        perturbed = ~adata.obs["control"]
        adata.obs.loc[perturbed, "split"] = "train"
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, [tx.datasets.toy_graph()], encoder=ENCODER)
    model.train(
        max_epochs=8,
        lr=0.02,
        accelerator="cpu",
        devices=n_processes,
        early_stopping_patience=3,
        checkpoint=f"{folder}/checkpoints_{n_processes}",
        enable_progress_bar=False,
    )
    rank = os.environ.get("LOCAL_RANK", "0")
    predicted = model.predict(["GENE3", "GENE5", "GENE3+GENE7"]).layers["delta"]
    np.save(f"{folder}/{n_processes}_{rank}.npy", predicted)
    if rank == "0":
        weights = model.ensemble_["weights"]
        n_epochs = len(model.history["train_loss"])
        with open(f"{folder}/{n_processes}.json", "w") as file:
            json.dump({"weights": weights, "n_epochs": n_epochs}, file)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
