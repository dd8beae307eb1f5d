"""A model in the form of scvi-tools' hub: weights, metadata and a card in one folder."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._progress import without_advertising

if TYPE_CHECKING:
    from scvi.hub import HubModel

_NAME = "TxPertModel"


class HubMixin:
    """Writes a model as scvi-tools' hub takes it."""

    save: Callable[..., None]
    record: Callable[[], dict[str, Any]]
    summary_stats: Mapping[str, int]

    def to_hub(
        self,
        dir_path: str | Path,
        *,
        license: str,
        description: str = "",
        overwrite: bool = False,
        save_anndata: bool = True,
    ) -> HubModel:
        """Save the model with metadata and a card, as :class:`scvi.hub.HubModel` reads them.

        ``HubModel(folder).load_model()`` brings the model back, and
        ``hub_model.push_to_huggingface_hub(...)`` publishes the folder. Needs the extra ``hub``.

        Parameters
        ----------
        dir_path
            Folder to write to.
        license
            License of the model, such as ``"cc-by-4.0"``, for the card.
        description
            What the model is for, as Markdown, for the card.
        overwrite
            Write over what is in the folder.
        save_anndata
            Write the data as well; without them ``load_model(adata)`` is given some.

        Returns
        -------
        The hub's model of that folder.

        Raises
        ------
        ImportError
            If huggingface_hub is not installed.
        ValueError
            If the folder exists and ``overwrite`` is not set.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import txpert as tx
        >>> adata = tx.datasets.toy()
        >>> tx.pp.split(adata)
        >>> tx.TxPertModel.setup_anndata(adata)
        >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=["mean"])
        >>> model.train(enable_progress_bar=False)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     hub_model = model.to_hub(
        ...         f"{folder}/model", license="cc-by-4.0", description="K562, CRISPRi"
        ...     )
        ...     written = sorted(path.name for path in Path(hub_model.local_dir).iterdir())
        >>> written
        ['README.md', '_scvi_required_metadata.json', 'adata.h5ad', 'model.pt']
        >>> hub_model.model_card.data.license
        'cc-by-4.0'
        """
        try:
            from huggingface_hub import ModelCard
            from scvi.hub import HubMetadata, HubModel
        except ImportError as error:
            raise ImportError(
                "The hub needs huggingface_hub: pip install 'txpert[hub]'."
            ) from error
        self.save(dir_path, overwrite=overwrite, save_anndata=save_anndata)
        folder = str(dir_path)
        with without_advertising():
            metadata = HubMetadata.from_dir(
                folder,
                anndata_version=importlib.metadata.version("anndata"),
                model_parent_module="txpert",
            )
        card = ModelCard(_card(self.record(), self.summary_stats, license, description))
        hub_model = HubModel(folder, metadata=metadata, model_card=card)
        hub_model.save(overwrite=overwrite)
        return hub_model


def _card(
    record: Mapping[str, Any], stats: Mapping[str, int], license: str, description: str
) -> str:
    versions = record["versions"]
    header = [
        "---",
        f"license: {license}",
        "library_name: scvi-tools",
        "tags:",
        *(f"- {tag}" for tag in ("biology", "genomics", "single-cell", "perturb-seq", "txpert")),
        f"- model_cls_name:{_NAME}",
        f"- scvi_version:{versions['scvi-tools']}",
        f"- anndata_version:{versions['anndata']}",
        "---",
    ]
    settings = {**record["settings"], **record.get("training", {})}
    sections = {
        f"{_NAME}": description or "Predicts transcriptional responses to genetic perturbations.",
        "Data": "\n".join(f"- {name}: {value:,}" for name, value in stats.items()),
        "Graphs": ", ".join(record.get("graphs", ())) or "none",
        "Settings": "\n".join(f"- {name}: {value}" for name, value in settings.items()),
        "Versions": "\n".join(f"- {name} {number}" for name, number in versions.items()),
        "Use": (
            f"```python\nimport txpert as tx\nmodel = tx.{_NAME}.load(folder, adata)\n"
            'prediction = model.predict(["KLF1"])\n```'
        ),
        "Limitations": (
            "A prediction is a mean profile. Of perturbations of which graphs and training know "
            "nothing, it is the common effect of the training perturbations: see the column "
            "specific of a prediction's obs, and the model card in the documentation of txpert."
        ),
        "Citation": "Wenkel, Tu et al. 2026, doi:10.1038/s41587-026-03113-4; tx.cite(model)",
    }
    body = "\n\n".join(f"# {title}\n\n{text}" for title, text in sections.items())
    return "\n".join(header) + f"\n\n{body}\n"
