"""The one-node bottleneck against the plain formula, its gradients by finite differences."""

from __future__ import annotations

import pytest
import torch
from tiny_models import WIDTH, tiny_encoder
from tiny_training import assert_fused_is_plain, module_for, shaken
from torch.autograd.graph import saved_tensors_hooks

from xadapt.backbones.frames import Frame, framed
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.modules.narrow import ACTIVATIONS, AddNarrow

FORMS = ["sequential", "parallel"]


def leaves(form, dtype=torch.float64, shape=(2, 3)):
    torch.manual_seed(0)
    into, out = (4, 4) if form == "sequential" else (5, 4)
    sizes = [(*shape, into), (*shape, out), (3, into), (3,), (out, 3), (out,)]
    given = [torch.randn(size, dtype=dtype, requires_grad=True) for size in sizes]
    return [*given[:1], None, *given[2:]] if form == "sequential" else given


def plain(x, y, down, bias, up, end, name, scale):
    act = ACTIVATIONS[name].value
    return (x if y is None else y) + scale * (act(x @ down.T + bias) @ up.T + end)


def grown(activation, form, dtype=torch.float32, width=8):
    """A shaken adapter, with inputs that need gradients: ``x`` is ``y`` where it is sequential."""
    options = {"width": width, "form": form, "activation": activation, "scaling": 0.5}
    module = shaken(module_for(tiny_encoder(), "bottleneck", **options, after="ffn"))
    fn = module.hooks()[0].fn
    torch.manual_seed(1)
    y = torch.randn(3, 7, WIDTH).to(dtype).requires_grad_()
    x = y if form == "sequential" else torch.randn(3, 7, WIDTH).to(dtype).requires_grad_()
    return fn, x, y


def gradients(fn, x, y, out):
    wanted = [*([x] if x is y else [x, y]), *fn.parameters()]
    torch.manual_seed(2)
    return torch.autograd.grad((out.float() * torch.randn(out.shape)).sum(), wanted)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_by_finite_differences(activation, form):
    given = leaves(form)
    assert torch.autograd.gradcheck(lambda *a: AddNarrow.apply(*a, activation, 1.5), given)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(1, 1), (7,), (2, 3, 2)])
def test_any_leading_shape_is_the_formula(activation, form, shape):
    given = leaves(form, shape=shape)
    out = AddNarrow.apply(*given, activation, 2.5)
    assert torch.allclose(out, plain(*given, activation, 2.5), atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("frozen", [0, 2, 3, 4, 5])
def test_what_needs_no_gradient_gets_none(form, frozen):
    given = leaves(form)
    given[frozen].requires_grad_(False)
    AddNarrow.apply(*given, "gelu", 0.5).sum().backward()
    left = [None if t is None else t.grad is None for t in given]
    assert left == [None if t is None else i == frozen for i, t in enumerate(given)]


def test_a_gradient_nobody_wants_is_not_computed(monkeypatch):
    """With all below frozen and ``down`` fixed, nothing goes back through the middle."""
    given = leaves("parallel")
    for place in (0, 2, 3):
        given[place].requires_grad_(False)
    gelu, calls = ACTIVATIONS["gelu"], []
    counted = gelu._replace(backward=lambda *a: calls.append(1) or gelu.backward(*a))
    monkeypatch.setitem(ACTIVATIONS, "gelu", counted)
    AddNarrow.apply(*given, "gelu", 0.5).sum().backward()
    assert calls == [] and given[4].grad is not None
    given[3].requires_grad_(True)
    AddNarrow.apply(*given, "gelu", 0.5).sum().backward()
    assert calls == [1]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_it_is_the_plain_forward_and_its_gradients(activation, form):
    fn, x, y = grown(activation, form)
    lean, whole = fn.forward_add(x, y), y + fn(x)
    assert torch.equal(lean, whole)
    for one, other in zip(gradients(fn, x, y, lean), gradients(fn, x, y, whole), strict=True):
        assert one.abs().max() > 0 and (one - other).abs().max() <= 1e-6 * other.abs().max()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_in_bfloat16_it_is_as_near_to_exact_as_the_plain_one(activation, form):
    """Within 2 % of the largest value of what fp64 gives from the same numbers."""
    fn, x, y = grown(activation, form, torch.bfloat16)
    lean = fn.forward_add(x, y)
    assert lean.dtype == torch.bfloat16 and torch.equal(lean, y + fn(x))
    found = [lean, *gradients(fn, x, y, lean)]
    wide = y.detach().double().requires_grad_()
    far = wide if x is y else x.detach().double().requires_grad_()
    out = wide + fn.double()(far)
    exact = [out, *gradients(fn, far, wide, out)]
    for one, other in zip(found, exact, strict=True):
        assert (one.double() - other).abs().max() <= 0.02 * other.abs().max()


def test_an_output_wider_than_the_input_takes_the_plain_way():
    fn, x, y = grown("gelu", "parallel", torch.bfloat16)
    out = fn.forward_add(x, y.float())
    assert out.dtype == torch.float32 and torch.equal(out, y.float() + fn(x).float())


def kept_bytes(make):
    """Bytes that autograd keeps of one computation, each storage once, weights aside."""
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes(), tensor
        return tensor

    with saved_tensors_hooks(keep, lambda t: t):
        out = make()
    assert out.requires_grad
    return sum(size for size, _ in kept.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("form", FORMS)
def test_it_keeps_less(form, dtype):
    """What the plain forward keeps and this does not: the middle after the non-linearity."""
    fn, x, y = grown("gelu", form, dtype, width=16)
    lean, whole = kept_bytes(lambda: fn.forward_add(x, y)), kept_bytes(lambda: y + fn(x))
    assert lean <= whole - 3 * 7 * 16 * dtype.itemsize


@pytest.mark.parametrize("form", FORMS)
def test_on_all_rows_is_on_each_row_named(form):
    """The fused path acts on a whole batch, the plain one on rows; values and gradients agree."""
    encoder = tiny_encoder()
    module = shaken(module_for(encoder, "bottleneck", width=4, form=form))
    assert_fused_is_plain(encoder, module)


def test_behind_the_output_the_graph_has_one_node_and_no_slice():
    """The site's output is handed over as it is: what reads it is what adds to it."""
    encoder = tiny_encoder()
    module = shaken(module_for(encoder, "bottleneck", width=4, after="ffn", layers=[3, 4]))
    acts = Activation.of(ActiveAdapter(encoder, module))
    [site] = encoder.sites(3, "ffn_out")
    x = torch.randn(2, 3, site.module.in_features, requires_grad=True)
    with framed(Frame(encoder.guard, acts, torch.ones(2, 3))):
        node = site.module(x).grad_fn
    assert type(node).__name__ == "AddNarrowBackward"
    below = {type(parent).__name__ for parent, _ in node.next_functions if parent is not None}
    assert below and not any("Slice" in name for name in below)
