import pytest


@pytest.fixture
def delta_of():
    """Predicted Δ of one perturbation."""

    def predict(baseline, label, cell_line=None):
        return baseline.predict(label, cell_line=cell_line).layers["delta"][0]

    return predict
