"""The gradient with respect to the input: one ascent engine, and what is built on it.

`ascent.ascend` climbs a score by changing pictures and leaves the network alone. What it is given:
`optimisers` and `lbfgs` say how a step is made, `constraints` what it must not leave, `priors` what
natural pictures look like, `scores` what is climbed, `starts` where it begins. On top of it:
`attacks` and `szegedy` (adversarial inputs, fooling images), `inversion` (of a representation),
`octaves` (DeepDream), `spectral` (large shapes first), `synthesis` (introspective networks) and
`textbook` (the attacks in the fewest lines).

Pictures are float tensors in a box, [-1, 1] unless another one is given; every epsilon is a share
of the box's width, so that 8/255 is 8 grey levels in any box.
"""
