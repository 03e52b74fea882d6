"""What stands in the slots of generated notes: people, places and numbers that nobody has."""

from __future__ import annotations

import random

SURNAMES = (
    "王李张刘陈杨黄赵周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜"
    "范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段包钱汤尹黎"
)
RARE = "贲邰仉牧隗蓬郗璩濮寿逄沃郏宓"
DOUBLE = ("欧阳", "上官", "司马", "诸葛", "慕容", "夏侯", "令狐", "尉迟")
GIVEN = (
    "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂华建国志红玉梅文辉鹏飞宇浩然子轩梓涵雨桐欣怡思远博文晓燕春梅海燕德福永发"
    "桃花金凤翠萍淑珍俊熙一诺可馨天佑云龙凯旋嘉豪若曦"
)
MINORITY = ("阿依古丽·买买提", "巴特尔·哈斯", "扎西·次仁", "古丽娜尔·阿不都", "卓玛·央金", "吐尔逊·艾合买提")
FIRST = (
    "Margaret",
    "Luis",
    "Siobhan",
    "Wei",
    "Aaliyah",
    "Thomas",
    "Katarzyna",
    "Omar",
    "Grace",
    "Hiroshi",
    "Beth",
    "Ivan",
)
LAST = ("Kowalski", "Fernandez", "O'Malley", "Zhang", "Washington", "Fitzgerald", "Nguyen", "Haddad", "Lindqvist")
LAST += ("Tanaka", "McAllister", "Petrov", "Okafor", "Garcia-Lopez", "Abernathy", "Vandermeer")
CITIES = (
    "徐州市云龙区",
    "成都市武侯区",
    "宁波市鄞州区",
    "沈阳市铁西区",
    "长沙市岳麓区",
    "昆明市五华区",
    "南阳市卧龙区",
)
PROVINCES = ("江苏省", "四川省", "浙江省", "辽宁省", "湖南省", "云南省", "河南省")
ROADS = ("淮海东路", "人民南路", "中山北街", "解放大道", "文昌巷", "兴工北街", "学府路", "梅溪湖路")
ESTATES = ("锦绣花园", "东方家园", "阳光小区", "翠湖公寓", "")
VILLAGES = ("李家庄村", "小河口村", "上湾村", "柳林屯")
COUNTIES = ("邳州市官湖镇", "双流县永安镇", "法库县大孤家子镇", "弥勒县西一镇")
STREETS = ("Maple Avenue", "W 14th Street", "Old Mill Road", "Sycamore Lane", "Harbor View Drive", "Broad St")
TOWNS = ("Worcester, MA 01608", "Duluth, MN 55802", "Santa Fe, NM 87501", "Columbus, OH 43215-1023")
ENGLISH_MONTHS = ("January", "March", "June", "September", "November", "Aug", "Dec", "Feb")


class Fillers:
    """Draws the values of one note; every value is made up."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw

    def name(self) -> str:
        kind = self.draw.random()
        if kind < 0.03:
            return self.draw.choice(MINORITY)
        if kind < 0.08:
            return self.draw.choice(DOUBLE) + self._given()
        return self.draw.choice(SURNAMES if kind < 0.97 else RARE) + self._given()

    def _given(self) -> str:
        return "".join(self.draw.sample(GIVEN, self.draw.choice((1, 2, 2))))

    def english_name(self) -> str:
        middle = self.draw.choice(("", "", f"{self.draw.choice('ABCJKLR')}. "))
        return f"{self.draw.choice(FIRST)} {middle}{self.draw.choice(LAST)}"

    def first(self) -> str:
        return self.draw.choice(FIRST)

    def last(self) -> str:
        return self.draw.choice(LAST)

    def digits(self, count: int) -> str:
        return self.draw.choice("123456789") + "".join(self.draw.choices("0123456789", k=count - 1))

    def day(self) -> tuple[int, int, int]:
        return self.draw.randint(1930, 2024), self.draw.randint(1, 12), self.draw.randint(1, 28)

    def identity(self) -> str:
        from xinglin.patients.identity import check_character

        year, month, day = self.day()
        area = self.draw.choice(("320303", "510107", "330212", "210106", "430104", "530102", "411303"))
        body = f"{area}{year}{month:02d}{day:02d}{self.draw.randint(1, 999):03d}"
        return body + check_character(body)

    def old_identity(self) -> str:
        return f"3203{self.draw.randint(1, 30):02d}{self.draw.randint(30, 79)}{self.draw.randint(1, 12):02d}" + (
            f"{self.draw.randint(1, 28):02d}{self.digits(3)}"
        )

    def phone(self) -> str:
        mobile = self.draw.choice(("138", "159", "186", "177", "199", "133")) + self.digits(8)
        return self.draw.choice(
            (
                mobile,
                mobile,
                f"{mobile[:3]}-{mobile[3:7]}-{mobile[7:]}",
                f"{mobile[:3]} {mobile[3:7]} {mobile[7:]}",
                f"+86 {mobile}",
                f"0{self.draw.choice(('516', '28', '731'))}-8{self.digits(7)[1:]}",
            )
        )

    def american_phone(self) -> str:
        area, middle, last = f"{self.draw.randint(201, 989)}", f"{self.draw.randint(200, 999)}", self.digits(4)
        return self.draw.choice((f"({area}) {middle}-{last}", f"{area}-{middle}-{last}", f"{area}.{middle}.{last}"))

    def record(self) -> str:
        return self.draw.choice((self.digits(8), f"ZY{self.digits(8)}", self.digits(10), f"M{self.digits(7)}"))

    def insurance(self) -> str:
        return self.draw.choice((self.digits(12), f"JS{self.digits(10)}", self.digits(9)))

    def card(self) -> str:
        body = "622202" + self.digits(12)
        total = 0
        for place, digit in enumerate(reversed(body)):
            doubled = int(digit) * (1 if place % 2 else 2)
            total += doubled - 9 if doubled > 9 else doubled
        return body + str((10 - total % 10) % 10)

    def address(self) -> str:
        if self.draw.random() < 0.3:
            village = f"{self.draw.choice(VILLAGES)}{self.draw.randint(1, 20)}组"
            return f"{self.draw.choice(PROVINCES)}{self.draw.choice(COUNTIES)}{village}"
        number = f"{self.draw.randint(1, 400)}号"
        estate, home = self.draw.choice(ESTATES), f"{self.draw.randint(1, 30)}栋{self.draw.randint(1, 4)}单元"
        province = self.draw.choice((*PROVINCES, "", ""))
        where = f"{province}{self.draw.choice(CITIES)}{self.draw.choice(ROADS)}{number}"
        return where + (f"{estate}{home}{self.draw.randint(101, 2904)}室" if estate else "")

    def american_address(self) -> str:
        return f"{self.draw.randint(3, 4200)} {self.draw.choice(STREETS)}, {self.draw.choice(TOWNS)}"

    def date(self) -> str:
        year, month, day = self.draw.randint(2015, 2025), self.draw.randint(1, 12), self.draw.randint(1, 28)
        return self.draw.choice(
            (
                f"{year}-{month:02d}-{day:02d}",
                f"{year}年{month}月{day}日",
                f"{year}/{month}/{day}",
                f"{year}.{month:02d}.{day:02d}",
                f"{month}月{day}日",
            )
        )

    def american_date(self) -> str:
        year, month, day = self.draw.randint(2015, 2025), self.draw.randint(1, 12), self.draw.randint(1, 28)
        name = self.draw.choice(ENGLISH_MONTHS)
        return self.draw.choice(
            (
                f"{month:02d}/{day:02d}/{year}",
                f"{month}/{day}/{year % 100:02d}",
                f"{name} {day}, {year}",
                f"{day} {name} {year}",
            )
        )

    def birth(self) -> str:
        year, month, day = self.day()
        return self.draw.choice(
            (f"{year}-{month:02d}-{day:02d}", f"{year}年{month:02d}月{day:02d}日", f"{year}{month:02d}{day:02d}")
        )

    def mail(self) -> str:
        person = self.draw.choice(("wx", "li.na", "kowalski_b", "zhao"))
        return f"{person}{self.digits(3)}@{self.draw.choice(('qq.com', 'example.org', '163.com'))}"

    def chat(self) -> str:
        return self.draw.choice((f"wxid_{self.digits(6)}", f"lily{self.digits(4)}", self.digits(9)))

    def plate(self) -> str:
        where = f"{self.draw.choice('苏川浙辽湘')}{self.draw.choice('ACK')}"
        return f"{where}{self.digits(3)}{self.draw.choice('DFT')}{self.digits(1)}"

    def passport(self) -> str:
        return self.draw.choice((f"E{self.digits(8)}", f"G{self.digits(8)}", f"H{self.digits(8)}"))

    def social(self) -> str:
        return f"{self.draw.randint(100, 665)}-{self.draw.randint(10, 99)}-{self.digits(4)}"

    def old(self) -> str:
        return str(self.draw.randint(90, 104))

    def age(self) -> str:
        return str(self.draw.randint(3, 88))
