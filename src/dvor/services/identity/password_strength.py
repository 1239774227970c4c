"""Which passwords are too easy to guess: everybody's favourites and their usual disguises."""

import re
import unicodedata

LENGTH_MIN = 8
_DIGITS_ONLY_MIN = 13
"""Shorter ones are dates and telephone numbers."""
_DISTINCT_MIN = 4
_RUN = 4
_LEET = str.maketrans("0134578@$!|", "oieastbasil")
_TYPED_IN_A_ROW = (
    "abcdefghijklmnopqrstuvwxyz",
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    "01234567890",
    "1234567890-=",
    "qwertyuiop[]",
    "asdfghjkl;'",
    "zxcvbnm,./",
    "йцукенгшщзхъ",
    "фывапролджэ",
    "ячсмитьбю.",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "qawsedrftgyhujikolp",
)
_ROWS = _TYPED_IN_A_ROW + tuple(row[::-1] for row in _TYPED_IN_A_ROW)

_FAVOURITES = """
password passwort passw passwd pass passphrase secret topsecret private changeme change letmein
letmeinnow openup opensesame sesame access login logon signin signup enter open unlock welcome
hello helloworld hi hey default temp temporary guest user username root admin administrator
adminadmin superuser superadmin sysadmin system server oracle mysql postgres database computer
internet google facebook twitter instagram youtube telegram whatsapp vkontakte yandex mailru
apple microsoft windows linux ubuntu debian android samsung nokia iphone test testing tester
testtest demo demodemo example sample trial none null nothing whatever blank unknown anything
dvor gostinydvor shop store market marketplace seller customer hotel hotelier booking rental
qwerty qwertz azerty qwertyqwerty asdf asdfasdf zxcv zxcvzxcv qazwsx qweasd qweasdzxc zaqxsw
iloveyou iloveu ilovegod lovely love lovelove lover loveme loveyou truelove sweetheart darling
honey baby babygirl babyboy angel angels princess prince queen king kingdom forever together
sunshine rainbow flower flowers butterfly summer winter spring autumn sunday monday tuesday
wednesday thursday friday saturday january february march april may june july august september
october november december summertime holiday christmas newyear birthday morning midnight
monkey dragon tiger lion eagle falcon phoenix panther wolf bear shark dolphin kitty kitten cat
puppy doggy dog horse chicken turtle spider snake buster bailey charlie shadow ginger pepper
cookie cookies chocolate cheese banana orange apple cherry strawberry coffee whiskey vodka beer
football soccer baseball basketball hockey tennis golf rugby boxing running fitness liverpool
chelsea arsenal manchester barcelona realmadrid juventus spartak zenit cska dinamo lakers
yankees cowboys eagles steelers packers redsox ranger rangers hunter fisherman master monster
killer warrior soldier samurai ninja pirate hacker gamer player superman batman spiderman
ironman hulk joker starwars startrek skywalker yoda matrix terminator gandalf hobbit harry
harrypotter hogwarts pokemon pikachu mario sonic zelda minecraft fortnite roblox counterstrike
warcraft starcraft diablo doom quake halflife playstation nintendo xbox naruto sasuke
freedom peace trust trustno trustnoone faith jesus jesuschrist godisgood god heaven blessed
blessing grace hope happy happiness smile lucky luckyone fortune money moneymoney dollar
bitcoin million millionaire rich success winner champion victory power strong legend hero
crazy freak cool coolguy sexy hottie playboy bigboy bigdaddy daddy mommy mother father brother
sister family friend friends bestfriend forever myself mylife mylove nothing something
michael jordan michelle jennifer jessica ashley amanda nicole daniel david andrew anthony
joshua matthew robert william thomas george james john johnny peter richard charles jackson
martin patrick alexander alexandra alexandr aleksandr alex sasha natasha natalia tatiana
anastasia nastya ekaterina katya elena lena maria masha olga irina svetlana sveta yulia
dmitry dima sergey sergei andrey andrei alexey alexei maxim maksim ivan vladimir vova nikita
mikhail misha pavel roman denis artem artur viktor victoria veronica daria dasha kristina
karina marina polina ksenia evgeny evgenia zhenya oleg igor konstantin samantha elizabeth
purple yellow orange silver golden diamond crystal black white blue green red redred
mercedes porsche ferrari lamborghini toyota honda nissan mustang corvette camaro harley
yamaha suzuki subaru ford chevrolet bmw audi volkswagen lada moscow moskva london paris berlin
newyork america american canada australia england germany france spain italy russia rossiya
ukraine china japan korea india brasil mexico california texas florida hawaii
metallica nirvana slipknot eminem blink beatles rockstar music guitar piano rocknroll
parol parolparol privet zdravstvuy lyubov lubov lubimaya solnyshko solnce kotik koshka
sobaka krasotka malysh zaika zayka mamapapa mama papa semya druzhba schastie udacha
пароль пароли парольпароль мойпароль секрет привет приветик здравствуй здравствуйте войти
вход открыть админ администратор пользователь гость тест проба двор гостиныйдвор магазин
любовь люблю ялюблютебя люблютебя любимая любимый любимка солнце солнышко зайка зайчик котик
кошка котенок котёнок собака малыш малышка красотка принцесса ангел мама папа мамапапа семья
дружба друзья счастье удача жизнь весна лето осень зима январь февраль март апрель май июнь
июль август сентябрь октябрь ноябрь декабрь спартак зенит динамо цска локомотив футбол хоккей
россия москва питер украина самара казань александр саша наташа наталья татьяна анастасия
настя екатерина катя елена лена мария маша ольга ирина светлана света юлия дмитрий дима сергей
андрей алексей максим иван владимир вова никита михаил миша павел роман денис артем виктор
виктория дарья даша кристина марина евгений женя олег игорь
"""
_WORDS = frozenset(_FAVOURITES.split())


def canonical_password(password: str) -> str:
    """One spelling of a password for all keyboards (NFKC), without spaces around it."""
    return unicodedata.normalize("NFKC", password).strip()


def is_weak(password: str, *, email: str, name: str) -> bool:
    """Whether somebody who knows this person's e-mail and name guesses the password soon."""
    lowered = password.lower()
    if len(password) < LENGTH_MIN or len(set(lowered)) < _DISTINCT_MIN:
        return True
    if lowered.isdigit() and len(lowered) < _DIGITS_ONLY_MIN:
        return True
    personal = {part for text in (email, name) for part in _parts(text)}
    return any(_guessable(spelling, personal) for spelling in _spellings(lowered))


def _spellings(lowered: str) -> set[str]:
    """The password as written, and with its disguises taken off."""
    letters = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", lowered)
    found = {lowered, letters}
    found |= {text.translate(_LEET) for text in found}
    found |= {re.sub(r"[\W\d_]+$", "", text) for text in found}
    found |= {re.sub(r"[\W_]+", "", text) for text in found}
    found |= {_unrepeated(text) for text in found}
    return found


def _guessable(spelling: str, personal: set[str]) -> bool:
    if {spelling, spelling[::-1]} & (_WORDS | personal):
        return True
    return len(spelling) >= LENGTH_MIN and not _without_runs(spelling, personal)


def _without_runs(spelling: str, personal: set[str]) -> str:
    """What remains of a password without rows of keys, years, words and the person's own name.

    A remainder of up to three characters is as good as none.
    """
    rest = spelling
    for known in sorted(personal, key=len, reverse=True):
        if len(known) >= _RUN:
            rest = rest.replace(known, "")
    for word in _words_within(rest):
        rest = rest.replace(word, "", 1)
    kept = []
    position = 0
    while position < len(rest):
        length = _run_length(rest, position)
        if length >= _RUN:
            position += length
        else:
            kept.append(rest[position])
            position += 1
    remainder = re.sub(r"(19|20)\d\d", "", "".join(kept))
    if any(letter.isalpha() for letter in remainder):
        remainder = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", remainder)
    return remainder if len(remainder) > 3 else ""


def _words_within(text: str) -> list[str]:
    """At most one favourite word at either end: two or more words may make a passphrase."""
    for length in range(len(text), 4, -1):
        for word in (text[:length], text[-length:]):
            if word in _WORDS:
                return [word]
    return []


def _run_length(text: str, start: int) -> int:
    """How many characters from `start` on are neighbours on a keyboard, or all the same."""
    same = len(text[start:]) - len(text[start:].lstrip(text[start]))
    longest = same
    for length in range(max(same + 1, _RUN), len(text) - start + 1):
        if not any(text[start : start + length] in row for row in _ROWS):
            break
        longest = length
    return longest


def _unrepeated(text: str) -> str:
    """`abcabcabc` as `abc`."""
    at = (text + text).find(text, 1) if text else -1
    return text[:at] if 0 < at < len(text) else text


def _parts(text: str) -> set[str]:
    """An e-mail or a name whole, and its pieces."""
    lowered = text.lower()
    pieces = [piece for piece in re.split(r"[\W\d_]+", lowered) if len(piece) >= 3]
    return {lowered, lowered.partition("@")[0], "".join(pieces), *pieces} - {""}
