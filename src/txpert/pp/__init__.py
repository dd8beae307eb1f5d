from ._normalize import normalize
from ._pseudobulk import pseudobulk
from ._split import split

__all__ = ["normalize", "pseudobulk", "split"]
