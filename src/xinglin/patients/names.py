"""Names made comparable: width, case, spaces, middle dots, diacritics, order, and common traditional characters."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import msgspec

from xinglin.patients.placeholders import is_newborn_name, is_test_name, is_unknown_name

_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_ASIDE = re.compile(r"[(\[【〔《].*?[)\]】〕》]")
_WORD = re.compile(r"[^\W_]+")
_TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "prof", "sir", "jr", "sr", "ii", "iii", "iv"})
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"})
LONGEST = 200
"""Characters of a name that are looked at."""

_PAIRS = (
    "張张劉刘陳陈楊杨趙赵黃黄吳吴孫孙馬马許许鄭郑謝谢馮冯鄧邓葉叶蘇苏盧卢蔣蒋賈贾閻阎鐘钟鍾钟韓韩羅罗龍龙譚谭賀贺賴赖龔龚錢钱湯汤顧顾"
    "萬万嚴严歐欧聶聂魯鲁韋韦陸陆鄒邹畢毕蕭萧藍蓝藺蔺關关應应齊齐龐庞顏颜倪倪莊庄簡简饒饶鄔邬寧宁衛卫單单時时馬马駱骆鳳凤麗丽華华國国偉伟"
    "強强軍军興兴雲云豐丰寶宝珍珍貴贵榮荣慶庆業业東东長长飛飞鵬鹏傑杰紅红蘭兰瓊琼潔洁靜静瑩莹豔艳艷艳燕燕霞霞蓮莲鳴鸣達达運运進进遠远遲迟"
    "鋒锋銀银鑫鑫鋼钢鐵铁錦锦鎮镇門门開开闊阔隊队陽阳陰阴際际隨随雙双難难電电靈灵順顺須须頌颂領领頻频題题風风養养騰腾驗验體体髮发鬥斗"
    "點点黨党齡龄愛爱億亿儀仪優优兒儿兩两劍剑劑剂動动勝胜勞劳勳勋區区協协參参啟启啓启喬乔團团園园圓圆堅坚場场壯壮壽寿夢梦婦妇嬌娇學学寬宽"
    "實实將将專专尋寻導导層层島岛峽峡嵐岚嶺岭帥帅師师帶带幹干幾几庫库廣广廠厂張张彥彦後后從从復复徵征德德憲宪懷怀戰战戲戏撫抚擇择據据擁拥"
    "數数斷断曉晓曄晔書书會会條条構构樂乐樓楼標标樹树機机橋桥檢检權权歲岁歷历歸归殘残氣气決决況况淚泪淨净淵渊淺浅減减溫温滿满漢汉潤润潔洁"
    "澤泽濟济濤涛濱滨瀾澜灣湾為为烏乌無无煒炜煙烟熱热燈灯燦灿爭争爾尔牽牵狀状獎奖獨独獻献環环現现瑋玮瑤瑶璽玺畫画異异當当疊叠療疗發发"
    "盡尽監监盤盘眾众祿禄禎祯禪禅種种稱称穎颖積积穩稳競竞筆笔筠筠節节築筑範范簽签籃篮紀纪約约純纯紋纹納纳紹绍終终組组結结絢绚給给統统"
    "經经維维綱纲網网綠绿緒绪線线緣缘練练縱纵總总績绩織织繼继續续羣群義义習习聖圣聞闻聯联聰聪聲声職职肅肃腦脑臨临舉举舊旧艦舰藝艺蔭荫"
    "薩萨蘊蕴蘆芦處处號号術术補补裝装親亲觀观規规視视覺觉訓训記记詠咏詩诗話话詳详誌志認认語语誠诚誼谊談谈請请論论諾诺講讲謙谦證证識识譯译"
    "議议護护讓让豔艳財财貝贝貞贞責责貫贯貴贵買买費费貿贸賓宾賜赐賢贤質质贊赞贏赢趙赵車车軒轩軟软載载輔辅輕轻輝辉輪轮輯辑轉转農农連连週周"
    "過过道道達达違违遊游適适選选遺遗郵邮鄉乡醫医釗钊釧钏鈞钧鈴铃鉑铂銘铭銳锐錄录鍵键鏡镜鐸铎鑄铸閃闪閔闵間间閣阁閩闽陣阵階阶陝陕離离雋隽雖虽"
    "霧雾韻韵響响頁页項项頓顿預预頤颐願愿類类顯显飄飘飲饮馨馨駿骏騎骑驍骁驕骄驥骥魚鱼鮑鲍鳥鸟鴻鸿鵑鹃鶴鹤鷹鹰鸞鸾麥麦黃黄黎黎齊齐冀冀"
)
_SIMPLE = str.maketrans(dict(zip(_PAIRS[::2], _PAIRS[1::2], strict=True)))


class Name(msgspec.Struct, frozen=True):
    """A name: ``key`` is equal where the names are the same. ``family`` is empty where the order is not known."""

    key: str = ""
    han: bool = False
    family: str = ""
    newborn: bool = False
    test: bool = False

    def __repr__(self) -> str:
        """Without the name."""
        return f"Name(han={self.han})"


NOBODY = Name()


@lru_cache(maxsize=65_536)
def name_of(name: str, family: str = "", given: str = "") -> Name:
    """The name in what a source wrote; ``NOBODY`` where it says that it is not known.

    >>> name_of("張　三").key == name_of("", "张", "三").key == name_of("张三（女）").key
    True
    >>> name_of("阿依古丽·买买提").key == name_of("阿依古丽•买买提").key
    True
    >>> name_of("José  GARCÍA").key == name_of("Garcia, Jose").key
    True
    """
    plain = _plain(name)
    if not plain:
        own, rest = _plain(family), _plain(given)
        plain = own + rest if _HAN.search(own + rest) else f"{rest} {own}".strip()
    if not plain or is_unknown_name(plain):
        return NOBODY
    newborn, test = is_newborn_name(plain), is_test_name(plain)
    if _HAN.search(plain):
        key = "".join(_WORD.findall(plain)).translate(_SIMPLE)
        own = "".join(_WORD.findall(_plain(family))).translate(_SIMPLE)
        return Name(key, True, own if own and key.startswith(own) and own != key else key[:1], newborn, test)
    words = [word for word in _WORD.findall(plain) if word not in _TITLES]
    own = " ".join(sorted(_WORD.findall(_plain(family))))
    return Name(" ".join(sorted(words)), False, own, newborn, test)


def compatible(one: Name, other: Name) -> bool:
    """Whether two names may be of one person: nothing against it. Names in two scripts say nothing.

    >>> compatible(name_of("张伟"), name_of("张玮")), compatible(name_of("张伟"), name_of("李娜"))
    (True, False)
    >>> compatible(name_of("张伟"), name_of("Wei Zhang")), compatible(name_of("Jon Smith"), name_of("J. Smyth"))
    (True, True)
    """
    if not one.key or not other.key or one.han != other.han or one.newborn or other.newborn:
        return True
    if one.han:
        return bool(set(one.key) & set(other.key))
    mine, theirs = one.key.split(), other.key.split()
    if set(mine) & set(theirs):
        return True
    return {word[0] for word in mine} == {word[0] for word in theirs}


def _plain(text: str) -> str:
    """Compatible forms, lower case, without diacritics, asides and outer space."""
    if not text:
        return ""
    if text.isascii():
        return _ASIDE.sub(" ", text[:LONGEST]).lower().strip()
    folded = unicodedata.normalize("NFKC", text[:LONGEST]).casefold()
    folded = _ASIDE.sub(" ", folded).translate(_LETTERS)
    letters = unicodedata.normalize("NFD", folded)
    bare = "".join(c for c in letters if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", bare).strip()
