from ._normalize import normalize
from ._pseudobulk import pseudobulk
from ._split import split, split_fold

__all__ = ["normalize", "pseudobulk", "split", "split_fold"]
