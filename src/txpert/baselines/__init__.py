from ._general import GeneralBaseline

__all__ = ["GeneralBaseline"]
