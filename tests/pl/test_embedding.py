import pytest

import txpert as tx


@pytest.mark.parametrize("given", [tx.datasets.toy_graph(), ["A"], None])
def test_what_has_no_embeddings_is_refused_with_what_has(given):
    with pytest.raises(TypeError, match=rf"get_perturbation_embedding.*{type(given).__name__}\."):
        tx.pl.embedding(given)
