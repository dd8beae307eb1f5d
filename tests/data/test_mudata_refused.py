import mudata
import pytest

import txpert as tx


@pytest.mark.parametrize("modality", ["rna", "gex"])
@pytest.mark.parametrize("function", [tx.pp.split, tx.TxPertModel.setup_anndata])
def test_a_mudata_is_told_of_its_modality_and_of_its_own_setup(adata, function, modality):
    match = rf"this is a MuData.*mdata\['{modality}'\].*TxPertModel\.setup_mudata\(mdata\)"
    with pytest.raises(TypeError, match=match):
        function(mudata.MuData({modality: adata}))
