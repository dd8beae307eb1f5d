import pytest

import txpert as tx


@pytest.mark.slow
def test_a_search_over_encoder_width_and_rate(adata, graph, tmp_path):
    ray = pytest.importorskip("ray")
    pytest.importorskip("hyperopt")
    pytest.importorskip("scib_metrics")
    from ray import tune
    from scvi.autotune import run_autotune

    tx.TxPertModel.setup_anndata(adata)
    try:
        search = run_autotune(
            tx.TxPertModel,
            adata,
            metrics="pearson_delta_validation",
            mode="max",
            search_space={
                "model_params": {
                    "graphs": [graph],
                    "encoder": tune.choice(["sgc", "free"]),
                    "n_latent": tune.choice([8, 16]),
                },
                "train_params": {"max_epochs": 3, "lr": tune.loguniform(1e-3, 1e-2)},
            },
            num_samples=2,
            seed=0,
            resources={"cpu": 1},
            logging_dir=str(tmp_path),
        )
    finally:
        ray.shutdown()
    scores = [result.metrics["pearson_delta_validation"] for result in search.result_grid]
    assert [result.error for result in search.result_grid] == [None, None]
    best = search.result_grid.get_best_result("pearson_delta_validation", "max")
    assert best.metrics["pearson_delta_validation"] == max(scores)
    assert best.config["train_params"]["lr"] < 1e-2
