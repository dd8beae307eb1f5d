"""What COSTS.md says around tables and figures; braces stand for numbers of _report_scaling."""

from __future__ import annotations

HEAD = """
# Runtime and memory

Written by `benchmarks/report.py` from the JSON files in `benchmarks/results/`, which the other
scripts in `benchmarks/` make. Every section ends with the versions and the machine. Everything ran
on a CPU where it says nothing else. The machine was shared, so wall time can be more than the work
takes; CPU time is what the work took.
"""

TEXT = {
    "Training": """
Simulated screens (`tx.datasets.simulate_k562_like`), split by perturbation. The first two models
are the network alone and differ only in what a row is: the mean of a condition or a cell. The
others are the whole default, the ensemble included. "To 99%" is the time until the validation
Pearson Δ first comes within 1% of the best of the same seed on condition means. Memory is the peak
beyond the data. Seconds are CPU time, on one thread, and begin before `setup_anndata`.

Means come to that score in a third of the time that cells take (one seed of these). The lead is no
larger since a step of the default encoder embeds the targets of its minibatch and nothing else,
which costs little on cells too. Where a step runs over most of the graph, as with attention, the
number of steps decides instead. The default takes a third as long again as its network: diffusion
on the graph and the likelihood of the variances.
""",
    "Training time next to GEARS": """
The same cells, split and graph, one thread (`gears_time.py`). What counts is the time to a tool's
own best epoch, by its own validation score: an epoch of one is not an epoch of the other. GEARS'
score hardly moves after its second epoch, so which is its best is partly chance; but the end of
its first epoch, too, comes later than all of TxPert's training. With twice the perturbations an
epoch of GEARS takes twice as long, since it goes through the cells; TxPert goes through the means
of conditions.
""",
    "How cost grows": """
One axis at a time around a middle setting, on synthetic data and one thread (`scaling.py` says
which). The bound, dashed, is what the least work takes at the speed that this machine reaches in
large matrix products and copies; formulas stand in `benchmarks/_scaling_cases.py`. A power of 1
is growth in proportion; the table has it between the first and the last two points. Seconds are
the least of up to five repeats.
""",
    "scaling_training": """
An epoch is forward and backward of the default network, in minibatches of 128 perturbations. A
step takes milliseconds, of which the calls of many small operations of PyTorch are the floor.

- **Edges** into and out of the targets alone are looked at, so cost grows slowly: at
  {training_edges_most} edges a step takes {training_edges_seconds} s, {training_edges_ratio}
  times the bound. Profiles show the edges being picked and sorted, which the bound does not
  count, before the sparse products.
- **Nodes** bring 20 edges each. Their number by itself costs only the gradient of the learned
  embeddings, one for each node.
- **Genes** cost little below a thousand. Then the passes of decoder and loss over (minibatch ×
  genes) numbers take over, of
  which the bound counts the fewest possible.
- **Perturbations** of one minibatch share the calls; beyond 128 there are more steps, and cost
  grows in proportion.
""",
    "scaling_prediction": """
The default ensemble, once the diffusion on the graph is cached.

The embeddings of all nodes are a fixed cost, so every curve starts flat; since this was measured,
later calls take those of the first. With
more than some hundred perturbations cost grows with them: passes over (perturbation × genes)
numbers, of which looking up the curve of the calibration is the longest. Batches, each predicted
from its own controls, cost only the copying of Δ to each of
them: Δ is worked out once, since the default model has the same in all. Genes lengthen those
copies and the matrix products, which are a small part up to a few thousand. The
bound counts the encoder, the matrix products and one writing of the result; we take
{predict_perturbations_ratio} times it at {predict_perturbations_most} perturbations,
{predict_batches_ratio} times at {predict_batches_most} batches and {predict_genes_ratio} times at
{predict_genes_most} genes.
""",
    "scaling_passes": """
- **Cells** (`tx.pp.pseudobulk`, sparse, in memory): growth is in proportion once the table of
  conditions, which is written whatever the number of cells, no longer counts. Reading the cells
  once is all that is needed; at {pseudobulk_cells_most} cells we take {pseudobulk_cells_ratio}
  times as long. About four tenths of that are adding the sums of 4,096 cells to the table at
  scattered places, four tenths the sparse product that makes them (SciPy counts its entries
  first), the rest is cutting out rows and labels: bound by scattered access, not by bandwidth.
- **Training perturbations** (`KernelBaseline`, closed form): with few the diffusion on the graph
  counts, and in it the estimate of its diagonal, which looks at all nodes. From some hundreds on
  it is factors of matrices: at 2,000 over a third of the time goes into variances, which are
  fitted to all rows in groups of at most 500 targets, and a fifth into the eigenvectors by which
  the kernel of direct links is made positive semidefinite. At
  {kernel_perturbations_most} perturbations {kernel_perturbations_seconds} s is
  {kernel_perturbations_ratio} times the bound, which counts every evaluation of the likelihood.
""",
    "Cost next to GEARS and exact kernels": """
The same screens and graphs, one thread, tools in turns (`cost_curves.py`): ten cells per
perturbation, effects smooth over STRING, and the 20 strongest edges of each gene. In the middle
are 300 perturbations, 1,000 measured genes, one graph and 1,000 genes asked for. Seconds are wall
time, medians of three runs where a fit takes less than a minute, with their range. TxPert was
measured again without the others once its training had become cheaper, and most values of memory
of the others are of a run after theirs.

- **TxPert** is the default from cells in memory until training stops by itself, **process** its
  Gaussian process alone.
- **exact kernels** is that process in an earlier version, with a dense kernel of all perturbations
  in memory for each scale of each graph, and diffusion from every gene asked for. It was run up
  to 3,000 perturbations.
- **GEARS** is its preparation and one epoch of the 20 that it trains by default, run once. It
  takes one graph, and was run up to 1,000 perturbations. Its epochs grow with the cells, of which
  real screens have more.

All of TxPert's training takes a quarter of one epoch of GEARS or less, with 5,000 genes a
thirtieth. Most of it is the network's: the process alone takes a sixth to a third of it. Exact
kernels pay for the genes asked for, and for more perturbations and graphs. The bound of a fit,
dashed, is one reading of the cells, one Cholesky factor for each block of directions, and the
weights. Beyond it are the network, diffusion and variances, for which covariances of at most 800
rows are factorized again and again. The memory of GEARS differs between runs of one size, by a
factor of two.
""",
    "A genome and several graphs": """
The Gaussian process alone, each case in a process of its own with an empty cache folder
(`process_scaling.py`). "Before" is the version whose kernels were products of SciPy and whose
mixtures of kernels were all in memory; "–" was not measured. Seconds are CPU time, on one
thread; memory is the peak of the whole process, 0.7 GB of it Python and libraries.

- **fit**: simulated effects, smooth over STRING; the graphs are STRING, GO, BioGRID and IntAct,
  whole. Whatever their number, at most two matrices of perturbations × perturbations are in
  memory: mixtures of kernels for each block of directions are written to a temporary file in one
  pass over the graphs. Cholesky factors, one a block, take about half of the time of the
  largest fits. In wall time and with two threads, 2,000 perturbations with four graphs take
  21.6 to 22.5 s (three runs).
- **screens**: K562 with all links of STRING, and with GO.
- **predict**: all other genes of STRING by the process, after a fit to perturbations of K562. The
  second time what is left is the matrix product of covariances with weights, 2 × asked ×
  perturbations × genes operations: it bounds 439 perturbations × 7,225 genes.
- **model**: the same by `model.predict` of the default model, with all that it reports. No one
  step bounds it. Runs differ by how fast the machine hands out memory for the result, 0.4 GB and
  more.
- **graphs**: the GO graph over all genes, the second time from the cache folder.

Ranges are those of three runs; 9,866 perturbations were measured once.
""",
    "With a GPU": """
The Gaussian process on one machine with its GPU and with the GPU hidden (`gpu.py`), wall time in
seconds: 439 perturbations of K562 with STRING and GO, 2,000 and 9,866 simulated ones with four
graphs, all whole and refined before; then every other gene of STRING. "Difference" is the largest
between both predictions, relative to the standard deviation of predicted effects. Below it
`tl.screen` of 20,003 genes and of all 200,050,003 pairs.

The process hardly gains by a GPU. In this one run the fit to 2,000 perturbations and the first
prediction took four fifths of the time, ranking pairs by cosine or Pearson three quarters to four
fifths, and the rest as long as without it or longer. Variances are fitted to groups of at most
800 rows, on the CPU, so that they are the same with a GPU and without. 9,866 perturbations
were measured with the GPU only, by a later version.

Training networks with attention is another matter. The last table has one step of the paper's
model (64 conditions, 9,854 nodes, 5,000 genes; `encoders.py --gpu`): 20 to 63 ms with the GPU, 0.7
to 3.8 s with all cores. The default's encoder, `bmp`, gains a factor of two.
""",
    "Cells on disk": """
`tx.pp.pseudobulk` of raw counts that are normalized in the pass (2,000 genes, a tenth not zero,
2,000 perturbations × 10 batches). Cost grows in proportion to cells or, where the table of means
weighs, more slowly; memory does not grow, for only a block of rows and that table are held. The
bound is reading values and columns once at the speed of memory. The distance from it is decoding,
normalization and scattered sums.
""",
    "An atlas on a cluster": """
Zarr shards of 250,000 cells × 2,000 genes, opened as one screen by `tx.pp.open_screen` and
averaged by `tx.pp.pseudobulk` on a `LocalCluster`, one thread per worker (`atlas.py`). Seconds are
wall time unless they are said to be CPU time; the workers share the machine's cores with the
process that asks. Opening reads the annotation and looks at some cells of each shard.
Memory is the peak beyond what a process had before; the process that asks holds the annotation of
every cell.
""",
    "Evaluation and prediction": """
Scores: 500 perturbations × 100 cells × 5,000 genes, from cells in memory to Pearson Δ, MSE and
retrieval. Prediction: 2,000 perturbations × 48 batches; the encoder runs once. Memory includes the
result. Times are medians. The first call also computes the diffusion from every gene that training
did not know, which the model remembers, and gets its memory from the system. With 5,000 genes the
result is 3.8 GB (profile and Δ of 96,000 conditions): writing it is most of the time.
""",
    "Encoders": """
Seconds of a training step (forward, backward, optimizer) of the paper's model: 64 conditions,
5,000 genes, 20 incoming edges per node. Attention costs by edge and layer; encoders whose weights
are fixed (`gcn`, `sgc`, `hybrid_bmp`, `bmp`) are sparse products and many times cheaper.
""",
    "Building graphs": """
Full-size inputs, each in a process of its own; memory is the peak of that process.
""",
    "Import": "",
}
