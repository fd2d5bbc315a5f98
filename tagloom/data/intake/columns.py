"""Which column of a user's file is which of ours: from tagloom.toml first, then from usual names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tagloom.data.tables import EVENT_SCHEMA, OFFERS, PRODUCT_SCHEMA
from tagloom.errors import DataError

Kind = Literal["products", "events"]
Mapped = Mapping[str, str | Sequence[str]]

DATA_CSV = frozenset({"user_action", "product_desc", "label"})

_USUAL: dict[Kind, dict[str, str]] = {
    "products": {
        "product_id": "product_id productid id item_id itemid article_id sku sku_id spu spu_id goods_id asin book_id"
        " 商品id 商品编号 商品编码 编号 宝贝id 货品id 产品id 产品编号",
        "title": "title name product_name productname product_title item_name display_name productdisplayname 标题"
        " 名称 商品名 商品名称 商品标题 宝贝标题 产品名称 品名",
        "description": "description desc product_desc product_description text body summary content detail details"
        " short_text 描述 商品描述 详情 商品详情 简介 文案 产品描述",
        "category": "category categories category_path cat product_category type product_type 类目 分类 品类 类别"
        " 商品类目 商品分类",
        "attributes": "attributes attrs attribute properties props specs features 属性 商品属性 参数 规格",
        "tags": "tags tag labels label keywords 标签 商品标签 关键词",
        "image": "image image_path image_url picture photo img 图片 主图 商品图片",
        "price": "price sale_price selling_price current_price unit_price 价格 售价 销售价 现价 单价 商品价格",
        "stock": "stock inventory stock_quantity inventory_quantity quantity_available in_stock availability 库存"
        " 库存量 库存数量 现货 商品库存",
        "until": "until expires expires_at expiry expiry_date valid_until valid_to available_until 下架时间 下架日期"
        " 有效期 有效期至 截止时间 过期时间 到期时间",
    },
    "events": {
        "user_id": "user_id userid user uid customer customer_id buyer buyer_id member_id visitor_id 用户 用户id"
        " 用户编号 会员id 买家id",
        "action": "action user_action event event_type type behavior behaviour behavior_type 行为 动作 行为类型 事件",
        "time": "time timestamp datetime date ts t_dat event_time created_at order_time 时间 日期 时间戳 行为时间"
        " 下单时间",
        "product_id": "product_id productid item_id itemid item article_id sku sku_id goods_id asin book_id 商品id"
        " 商品编号 商品 宝贝id",
        "text": "text query search_text content keyword post 文本 搜索词 查询 内容",
        "value": "value rating score quantity qty amount 评分 数量 分数",
    },
}

# A file of posts, which may be anything from lines of text to a log of events.
_OF_POSTS = {
    "post_id": "post_id postid id review_id comment_id note_id tweet_id mid 编号 帖子id 评论id",
    "user_id": _USUAL["events"]["user_id"],
    "text": "text post content review comment body message tweet note caption 文本 内容 正文 帖子 评论 评价 文案",
}

_FROM_SEVERAL = frozenset({"title", "description", "category", "attributes", "tags"})

ACTION_NAMES = {
    "purchase": "purchase buy bought order ordered pay paid checkout 购买 买 下单 支付 成交 购买了",
    "cart": "cart add_to_cart addtocart basket add_cart 加购 加购物车 加入购物车 购物车",
    "view": "view click pv pageview page_view visit browse impression detail 浏览 点击 查看 访问 看",
    "like": "like fav favorite favourite wishlist collect bookmark upvote 收藏 喜欢 点赞 关注",
    "rate": "rate rating review stars 评分 打分 评价",
    "search": "search query 搜索 查询 搜",
    "post": "post comment share tweet note 发帖 发布 帖子 评论 分享 晒单",
}


@dataclass(frozen=True)
class ColumnMap:
    """Our fields and the file's columns that fill them; `unused` are the file's other columns.

    `wide`: every attribute has its own column, named like it.
    """

    kind: Kind
    fields: dict[str, tuple[str, ...]]
    unused: tuple[str, ...]
    wide: bool = False

    @property
    def only_offers(self) -> bool:
        """Whether a file has no titles and descriptions: it speaks of products that are there already."""
        return self.kind == "products" and not {"title", "description"} & set(self.fields)

    def one(self, field: str) -> str | None:
        """The single column behind a field, or None."""
        columns = self.fields.get(field, ())
        return columns[0] if columns else None


def action_synonyms(extra: Mapping[str, str]) -> dict[str, str]:
    """Every word known to mean an action (casefolded) -> that action; `extra` is the user's and wins."""
    known = {word: action for action, words in ACTION_NAMES.items() for word in words.split()}
    return {**known, **{word.strip().casefold(): action for word, action in extra.items()}}


def guess_kind(columns: Sequence[str]) -> Kind:
    """Whether a file holds products or events: events name a user, products do not."""
    users = {_plain(name) for name in _USUAL["events"]["user_id"].split()}
    return "events" if any(_plain(column) in users for column in columns) else "products"


def map_columns(kind: Kind, columns: Sequence[str], told: Mapped, where: str, *, offers: bool = False) -> ColumnMap:
    """Find our fields among a file's columns.

    Args:
        kind: which table the file fills.
        columns: the file's column names, in order.
        told: our field -> the user's column or columns, from tagloom.toml; these win over guesses.
        where: the file's name, for errors.
        offers: whether a file of products may have ids and `OFFERS` alone; it then fills no other field.

    Raises:
        DataError: a told field or column does not exist, or a required field was not found.
    """
    if offers and kind == "products" and (found := _only_offers(columns, told)):
        return found
    schema = PRODUCT_SCHEMA if kind == "products" else EVENT_SCHEMA
    fields: dict[str, tuple[str, ...]] = {}
    for field, given in told.items():
        names = (given,) if isinstance(given, str) else tuple(given)
        key = f"read.{kind[:-1]}_columns in tagloom.toml"
        if field not in schema:
            raise DataError(f"{key}: unknown field {field!r}{_nearest(field, list(schema), 'there are')}")
        if not names or (len(names) > 1 and field not in _FROM_SEVERAL):
            raise DataError(f"{key}, {field}: takes one column{' or several' * (not names)}, {len(names)} were told")
        for name in names:
            if name not in columns:
                raise DataError(
                    f"{where}: no column {name!r} ({key} names it for {field!r})"
                    f"{_nearest(name, columns, 'the file has')}"
                )
        fields[field] = names
    fields = _fields(kind, columns, fields)
    taken = {name for names in fields.values() for name in names}
    _require(kind, fields, columns, where)
    wide = not isinstance(told.get("attributes", ""), str)
    return ColumnMap(kind, fields, tuple(name for name in columns if name not in taken), wide)


def _fields(kind: Kind, columns: Sequence[str], told: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Our fields and the columns that fill them: as told, else by their usual names, each column once."""
    fields = dict(told)
    taken = {name for names in fields.values() for name in names}
    for field in PRODUCT_SCHEMA if kind == "products" else EVENT_SCHEMA:
        free = [column for column in columns if column not in taken]
        found = None if field in fields else _first(_USUAL[kind][field].split(), free)
        if found is not None:
            fields[field] = (found,)
            taken.add(found)
    return fields


def _only_offers(columns: Sequence[str], told: Mapped) -> ColumnMap | None:
    """The ids and offers of a file that has neither titles nor descriptions; None: it is no such file.

    Columns that are told for other fields need not be there, unless one that is left over is nearly so: it is misspelt.
    """
    wanted = {field: (given,) if isinstance(given, str) else tuple(given) for field, given in told.items()}
    if any(
        field not in PRODUCT_SCHEMA or (len(names) > 1 and field not in _FROM_SEVERAL)
        for field, names in wanted.items()
    ):
        return None
    absent = [name for names in wanted.values() for name in names if name not in columns]
    there = {field: names for field, names in wanted.items() if names and not set(names) & set(absent)}
    fields = _fields("products", columns, there)
    if {"title", "description"} & fields.keys() or "product_id" not in fields or not fields.keys() & set(OFFERS):
        return None
    kept = {field: fields[field] for field in ("product_id", *OFFERS) if field in fields}
    used = {name for names in kept.values() for name in names}
    unused = tuple(name for name in columns if name not in used)
    misspelt = any(difflib.get_close_matches(name, unused, n=1) for name in absent)
    return None if misspelt else ColumnMap("products", kept, unused)


def post_columns(columns: Sequence[str], where: str) -> dict[str, str]:
    """Of a file of posts the columns for `post_id`, `user_id` and `text`, those that are there.

    Args:
        columns: the file's column names.
        where: the file's name, for errors.

    Raises:
        DataError: none holds the text.
    """
    found = {field: _first(usual.split(), columns) for field, usual in _OF_POSTS.items()}
    if found["text"] is None:
        usual = ", ".join(_OF_POSTS["text"].split())
        raise DataError(f"{where}: no column holds the posts; expected one of {usual}; the file has {list(columns)}")
    return {field: name for field, name in found.items() if name is not None}


def _first(usual: Sequence[str], columns: Sequence[str]) -> str | None:
    by_plain = {_plain(column): column for column in reversed(columns)}
    return next((by_plain[_plain(name)] for name in usual if _plain(name) in by_plain), None)


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-.]+", "", name.strip().casefold())


def _require(kind: Kind, fields: Mapping[str, tuple[str, ...]], columns: Sequence[str], where: str) -> None:
    if kind == "products":
        ok = "title" in fields or "description" in fields
        missing = "title or description"
    else:
        ok = "user_id" in fields and ("product_id" in fields or "text" in fields)
        missing = "product_id or text" if "user_id" in fields else "user_id"
    if not ok:
        field = missing.split(" or ", maxsplit=1)[0]
        raise DataError(
            f"{where}: no column found for {missing}; the file has {list(columns)}."
            f' Say which one it is in tagloom.toml: [read] {kind[:-1]}_columns = {{ {field} = "..." }}'
        )


def _nearest(name: str, columns: Sequence[str], else_say: str) -> str:
    close = difflib.get_close_matches(name, columns, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; {else_say} {list(columns)}"
