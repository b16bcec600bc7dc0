from xadapt.functional.simple_words import simple_words


def test_words_and_marks():
    assert simple_words("The U.S. didn't pay €3.5, well-known Ana said.") == [
        "The", "U.S", ".", "didn't", "pay", "€", "3.5", ",", "well-known", "Ana", "said", ".",
    ]  # fmt: skip
    assert simple_words("") == [] == simple_words(" \n")


def test_scripts_without_spaces_give_characters():
    assert simple_words("我爱Berlin!") == ["我", "爱", "Berlin", "!"]
    assert simple_words("東京タワー") == ["東", "京", "タ", "ワ", "ー"]
    assert simple_words("Привет, мир") == ["Привет", ",", "мир"]


def test_marks_stay_with_their_letters():
    assert simple_words("हिन्दी में लिखो।") == ["हिन्दी", "में", "लिखो", "।"]
    assert simple_words("தமிழ் மொழி") == ["தமிழ்", "மொழி"]
    assert simple_words("ọ̀rọ̀ me\u0301l") == ["ọ̀rọ̀", "me\u0301l"]
    assert simple_words("می\u200cخواهم") == ["می\u200cخواهم"]
