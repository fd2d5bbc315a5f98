"""A pretrained encoder with a head: it learns, LoRA leaves the base alone, and what is saved gives the same scores."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest
import torch

from tagloom.errors import MissingExtraError
from tagloom.nn.heads import carried, missed
from tagloom.nn.losses import binary_cross_entropy
from tagloom.nn.pretrained import merged, pretrained_encoder

WORDS, TAGS, LONGEST, PADDING, NOTHING = 40, 3, 8, 39, 5
PRIOR = torch.tensor([-1.0, 0.5, -2.0])


@pytest.fixture(autouse=True)
def _offline(monkeypatch, one_thread):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pytest.importorskip("transformers")


needs_peft = pytest.mark.skipif(find_spec("peft") is None, reason="peft is not installed")
with_and_without_lora = pytest.mark.parametrize("lora", [0, pytest.param(4, marks=needs_peft)])


def make(head="labelwise", seed=0, **settings):
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=WORDS,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
        pad_token_id=PADDING,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        base = BertModel(config)
    return pretrained_encoder(base, head, PRIOR, torch.Generator().manual_seed(seed), PADDING, **settings)


def texts(count, seed=0):
    """Each text has one of the words 1 to 4: 1 to 3 mean tag 0 to 2; 4 means none, those from 5 say nothing."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(3, LONGEST + 1, (count,), generator=generator)
    tokens = torch.randint(5, PADDING, (count, LONGEST), generator=generator)
    place = (torch.rand(count, generator=generator) * lengths).long()
    tag = torch.randint(0, TAGS + 1, (count,), generator=generator)
    tokens[torch.arange(count), place] = 1 + tag
    return tokens.masked_fill(torch.arange(LONGEST) >= lengths[:, None], 0), lengths, tag, place


def truth(tag):
    return torch.eye(TAGS + 1)[tag, :TAGS]


def learn(model, steps=150, rate=3e-3):
    tokens, lengths, tag, _ = texts(1_600)
    optimiser = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], rate)
    model.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for step in range(steps):
            rows = torch.arange(step * 32, (step + 1) * 32) % 1_600
            loss = binary_cross_entropy(model(tokens[rows], lengths[rows]), truth(tag[rows])).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model.eval()


@torch.no_grad()
def right(model):
    tokens, lengths, tag, _ = texts(200, seed=5)
    return ((model(tokens, lengths) > 0) == (truth(tag) > 0)).all(1).float().mean().item()


def base_weights(model):
    """The base's own weights, under the names they had before LoRA."""
    return {
        name.removeprefix("base_model.model.").replace(".base_layer", ""): weight.clone()
        for name, weight in model.base.state_dict().items()
        if "lora_" not in name
    }


@with_and_without_lora
@pytest.mark.parametrize("head", ["pooled", "labelwise"])
def test_it_learns_what_was_planted(head, lora):
    model = learn(make(head, lora=lora), rate=1e-2 if lora else 3e-3)
    assert right(model) > 0.95
    tokens, lengths, tag, place = (part[texts(200, seed=5)[2] < TAGS] for part in texts(200, seed=5))
    lost = missed(model, tokens, lengths, tag[:, None], unknown=NOTHING)[:, :, 0]
    assert (lost.argmax(1) == place).float().mean() > 0.9
    torch.testing.assert_close(
        carried(model, tokens, lengths, tag[:, None])[:, :, 0].sum(1),
        (model(tokens, lengths) - model.head.bias).gather(1, tag[:, None])[:, 0],
        atol=1e-3,
        rtol=1e-3,
    )


@pytest.mark.parametrize(
    ("settings", "same"), [pytest.param({"lora": 4}, True, marks=needs_peft), ({"frozen": True}, True), ({}, False)]
)
def test_lora_and_frozen_leave_the_base_as_it_was(settings, same):
    model = make(**settings)
    before = base_weights(model)
    fitted = base_weights(learn(model, steps=5))
    assert before.keys() == fitted.keys() == base_weights(make()).keys()
    assert all(torch.equal(before[name], weight) for name, weight in fitted.items()) is same


@needs_peft
def test_lora_trains_few_weights_and_every_one_of_them():
    model = make(lora=2)
    learn(model, steps=2)
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    assert all(weight.grad is not None for weight in trained.values())
    assert all(name.startswith("head.") or "lora_" in name for name in trained)
    adapters = sum(weight.numel() for name, weight in trained.items() if "lora_" in name)
    assert adapters == 2 * 2 * (4 * (32 + 32) + 2 * (32 + 64))  # layers * rank * the linear layers' two sides


@with_and_without_lora
def test_weights_read_back_give_the_same_scores(lora):
    model = learn(make(lora=lora), steps=10)
    other = make(lora=lora, seed=1).eval()
    tokens, lengths, *_ = texts(10)
    assert not torch.equal(other(tokens, lengths), model(tokens, lengths))
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(tokens, lengths), model(tokens, lengths))


@needs_peft
def test_merged_lora_gives_the_same_scores_without_lora():
    model = learn(make(lora=4), steps=30)
    tokens, lengths, *_ = texts(10)
    before = model(tokens, lengths)
    whole = merged(model)
    torch.testing.assert_close(whole(tokens, lengths), before, atol=1e-4, rtol=1e-4)
    assert torch.equal(model(tokens, lengths), before)
    plain = make().eval()
    plain.load_state_dict(whole.state_dict())
    assert torch.equal(plain(tokens, lengths), whole(tokens, lengths))


def test_merging_without_lora_is_a_copy():
    model = learn(make(), steps=2)
    assert merged(model).state_dict().keys() == model.state_dict().keys()


@with_and_without_lora
def test_padding_changes_nothing_and_no_words_give_the_prior(lora):
    model = learn(make(lora=lora), steps=5)
    tokens, lengths, *_ = texts(6)
    lengths[5] = 0
    scores = model(tokens, lengths)
    for ix in range(5):
        alone = model(tokens[[ix], : lengths[ix]], lengths[[ix]])[0]
        torch.testing.assert_close(scores[ix], alone, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(scores[5], model.head.bias)


@with_and_without_lora
def test_new_weights_come_from_the_generator_alone(lora):
    before = torch.get_rng_state()
    one, same, other = make(lora=lora), make(lora=lora), make(lora=lora, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, same.state_dict()[name]), name
        if "lora_A" in name or name == "head.queries":
            assert not torch.equal(weight, other.state_dict()[name]), name
    tokens, lengths, *_ = texts(3)
    assert torch.equal(one(tokens, lengths), PRIOR.expand(3, -1))


def test_lora_on_a_frozen_base_is_refused():
    with pytest.raises(ValueError, match="one of lora and frozen"):
        make(lora=4, frozen=True)


def test_without_peft_lora_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tagloom\[llm\]'"):
        make(lora=4)
