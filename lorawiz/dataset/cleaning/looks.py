"""Looks: the tags that say how somebody is made, in the words of photo and anime taggers.

Hair, eyes, skin, face, build, and the ears and tails of characters. Not what can be put on
(glasses, ribbons), not what passes (smile, closed eyes, wet hair), and not who it is (1girl,
woman): those are class words, which a LoRA shall go on hearing.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from functools import lru_cache

_COLOURS = (
    "amber|aqua|auburn|beige|black|blonde?|blue|brown|brunette|chestnut|colou?red|copper|cyan|dark|"
    "ginger|gold|golden|gr[ae]y|green|hazel|lavender|light|magenta|maroon|multicolou?red|orange|"
    "pale|pink|platinum|purple|rainbow|red|ruby|salt and pepper|sandy|silver|strawberry|teal|"
    "turquoise|two[- ]tone|violet|white|yellow"
)
_HAIR_KINDS = (
    "absurdly|big|bobbed|braided|chin[- ]length|coily|cropped|curly|drill|dyed|fine|flipped|frizzy|"
    "gradient|kinky|layered|long|medium|messy|pixie|receding|shiny|short|shoulder[- ]length|"
    "slicked[- ]back|spiky|spiked|split[- ]colou?r|straight|streaked|thick|thin|thinning|very|"
    "waist[- ]length|wavy"
)
_STYLE_KINDS = (
    "asymmetrical|blunt|braided|choppy|cone|crossed|crown|curtain|double|folded|french|front|half|"
    "high|long|low|parted|quad|short|side|single|split|swept|tri|twin|two"
)
_ANIMALS = (
    "animal|bear|bunny|cat|cow|deer|demon|dog|dragon|elf|fish|fox|goat|horse|kitsune|lion|"
    "long pointy|monkey|mouse|multiple|pointy|rabbit|raccoon|sheep|snake|squirrel|tiger|wolf"
)
_LOOKS = (
    # hair
    rf"(?:(?:{_COLOURS}|{_HAIR_KINDS}) )+hair",
    r"hair (?:between eyes|over (?:one eye|eyes|shoulder)|intakes|flaps|rings|up|down|pulled back)",
    r"(?:bob|bowl|crew|hime|inverted bob|pixie|wolf) cut|bob|buzz ?cut|undercut|mohawk|mullet|afro",
    r"dreadlocks|cornrows|bald|balding|(?:bald|shaved) head|(?:receding )?hairline|widow's peak",
    rf"(?:(?:{_STYLE_KINDS}) )*(?:bangs|ponytail|twintails|braids?|drills|(?:hair |side )?buns?)",
    r"(?:one|two) side up|two tails|(?:half )?updo|sidelocks|(?:huge )?ahoge|antenna hair",
    r"colou?red (?:inner hair|tips)|hair highlights",
    # eyes, lashes, brows
    rf"(?:(?:{_COLOURS}|almond|big|deep[- ]set|hooded|large|mismatched|narrow|round|small) )+eyes",
    r"heterochromia|tsurime|tareme|jitome|sanpaku|monolid|double eyelids?",
    r"(?:slit|cross-shaped|heart-shaped|star-shaped|symbol-shaped) pupils",
    rf"(?:(?:{_COLOURS}|arched|bushy|huge|long|short|thick|thin) )+(?:eyebrows|eyelashes)",
    # skin and face
    rf"(?:(?:{_COLOURS}|fair|olive|tan|tanned|very) )+skin|(?:very )?dark-skinned (?:fe)?male|tan",
    r"(?:body )?freckles|dimples?|cleft chin|wrinkles|birthmark|beauty mark|facial mark",
    r"moles?(?: (?:under|on|above|below) \w+)?|scars?(?: (?:on|across) \w+)?|whisker markings",
    r"(?:(?:arm|back|chest|facial|hand|leg|neck) )?tattoos?|high cheekbones|double chin",
    r"(?:big|broad|button|hooked|long|pointy|small) nose|(?:full|plump|thick|thin) lips|lips",
    r"(?:gap|buck) teeth|(?:skin )?fangs?|(?:heart-shaped|long|oval|round|square) face",
    r"(?:square|strong) jaw",
    rf"(?:(?:{_COLOURS}|full|long|short|thick|trimmed) )*(?:beard|facial hair|goatee|mo?ustache|"
    r"sideburns|stubble|mutton chops|soul patch)",
    # build
    r"flat chest|(?:small|medium|large|huge|gigantic) breasts|curvy|plump|chubby|fat|overweight",
    r"slim|skinny|slender|petite|muscular(?: (?:fe)?male)?|(?:very )?tall|abs|thick thighs",
    # characters
    rf"(?:(?:{_ANIMALS}|{_COLOURS}) )+(?:ears?|tails?|horns?|wings?)|tail|antlers|halo",
    r"(?:(?:broken|curled|single) )?horns?|(?:(?:feathered|head|low|mini) )?wings",
)
_LOOK = re.compile("|".join(f"(?:{look})" for look in _LOOKS))


@lru_cache(maxsize=65_536)
def is_look(tag: str) -> bool:
    """Whether `tag` says how somebody is made. Case and underscores do not matter."""
    return _LOOK.fullmatch(tag.lower().replace("_", " ").strip()) is not None


def find_constant_looks(tag_lists: Iterable[Collection[str]], min_share: float) -> list[str]:
    """The looks that at least `min_share` of the images have, most frequent first.

    `tag_lists` are the tags of each image, none of them twice.
    """
    counts: Counter[str] = Counter()
    num_images = 0
    for tags in tag_lists:
        num_images += 1
        counts.update(tags)
    return [
        tag
        for tag, count in counts.most_common()
        if count / num_images >= min_share and is_look(tag)
    ]
