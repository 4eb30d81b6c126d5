"""Every key of the review screen, in the order of its last lines.

One table for all modes: a key that means several things is several bindings, of which the first
that its mode allows counts.
"""

from textual.binding import Binding, BindingType

CROPPING = frozenset(
    {"nudge", "stretch", "scale", "keep_shape", "reset_crop", "save_crop", "leave_crop"}
)
"""What keys do while the crop box is moved, and then only these."""
ZOOMING = frozenset({"closer", "pan", "actual_size", "leave_zoom"})
"""What keys do while the picture is looked at closely, before others."""
WORDS = frozenset({"caption", "add_tags", "remove_tag", "rename_tag", "move_first"})
NEED_NO_IMAGE = frozenset({"back", "quit", "filter", "undo", "redo", "help", "scroll_details"})

BINDINGS: list[BindingType] = [
    # the crop box
    Binding("left,h", "nudge(-1, 0)", "move", key_display="←↑↓→", tooltip="move the box"),
    Binding("right,l", "nudge(1, 0)", show=False, tooltip="move the box"),
    Binding("up,k", "nudge(0, -1)", show=False, tooltip="move the box"),
    Binding("down,j", "nudge(0, 1)", show=False, tooltip="move the box"),
    Binding("plus,equals_sign", "scale(1)", "larger", tooltip="a larger box of the same shape"),
    Binding("minus", "scale(-1)", "smaller", tooltip="a smaller box of the same shape"),
    Binding("L,shift+right", "stretch(1, 0)", "sides", key_display="HJKL", tooltip="a wider box"),
    Binding("H,shift+left", "stretch(-1, 0)", show=False, tooltip="a narrower box"),
    Binding("J,shift+down", "stretch(0, 1)", show=False, tooltip="a higher box"),
    Binding("K,shift+up", "stretch(0, -1)", show=False, tooltip="a lower box"),
    Binding("a", "keep_shape", "keep shape", tooltip="keep the shape when a side is moved, or not"),
    Binding("r", "reset_crop", "whole picture", tooltip="the whole picture"),
    Binding("enter", "save_crop", "save", tooltip="save the box"),
    Binding("escape,q,b", "leave_crop", "leave it", tooltip="leave the box as it was"),
    # looking closely
    Binding("plus,equals_sign", "closer(1)", "closer", key_display="+", tooltip="look closer"),
    Binding("minus", "closer(-1)", "farther", tooltip="look from farther away"),
    Binding("1", "actual_size", "1:1", tooltip="one pixel of the picture on one of the screen"),
    Binding("left", "pan(-1, 0)", "move", key_display="←↑↓→", tooltip="move in the picture"),
    Binding("right", "pan(1, 0)", show=False, tooltip="move in the picture"),
    Binding("up", "pan(0, -1)", show=False, tooltip="move in the picture"),
    Binding("down", "pan(0, 1)", show=False, tooltip="move in the picture"),
    Binding("z", "leave_zoom", show=False, tooltip="back to the words"),
    # everywhere else
    Binding("space", "toggle_keep", "keep/reject", tooltip="keep or reject"),
    Binding("right_square_bracket", "next_finding(1)", "next finding", tooltip="next finding"),
    Binding("left_square_bracket", "next_finding(-1)", show=False, tooltip="finding before"),
    Binding("c", "caption", "caption", tooltip="edit the caption"),
    Binding("t", "tags", "tags", tooltip="all tags with their counts"),
    Binding("b", "crop", "crop box", tooltip="move the crop box"),
    Binding("slash", "filter", "filter", tooltip="filter: tag:smile -face:0 tokens:>75"),
    Binding("u,ctrl+z", "undo", "undo", tooltip="undo, as often as there are edits"),
    Binding("v", "select", "select", tooltip="select, or not any more"),
    Binding("equals_sign", "compare", "compare", tooltip="compare with what is like it"),
    Binding("z", "zoom", "zoom", tooltip="look closely"),
    Binding("e", "add_tags", "add tags", tooltip="add tags"),
    Binding("x", "remove_tag", "take out", tooltip="take a tag out"),
    Binding("f", "find", "find", tooltip="find an image by its name"),
    Binding("o,S", "sort", "sort", tooltip="sort the images"),
    Binding("n", "next_bare", "untagged", tooltip="next without tags or caption"),
    Binding("r", "rename_tag", show=False, tooltip="rename a tag"),
    Binding("F", "move_first", show=False, tooltip="move a tag first"),
    Binding("V", "select_to_here", show=False, tooltip="select from where v was to here"),
    Binding("a", "select_shown", show=False, tooltip="select all that are shown"),
    Binding("ctrl+r,ctrl+y", "redo", show=False, tooltip="redo"),
    Binding("J", "scroll_details(1)", show=False, tooltip="scroll the words down"),
    Binding("K", "scroll_details(-1)", show=False, tooltip="scroll the words up"),
    Binding("down,right,j,l", "move(1)", show=False, tooltip="next image"),
    Binding("up,left,k,h", "move(-1)", show=False, tooltip="image before"),
    Binding("ctrl+d,pagedown", "move(10)", show=False, tooltip="ten images on"),
    Binding("ctrl+u,pageup", "move(-10)", show=False, tooltip="ten images back"),
    Binding("g,home", "move_to_end(0)", show=False, tooltip="first image"),
    Binding("G,end", "move_to_end(1)", show=False, tooltip="last image"),
    Binding("escape", "back", "back", tooltip="back: zoom, selection, filter, then leave"),
    Binding("q,ctrl+q,ctrl+c", "quit", show=False, tooltip="leave; everything is saved"),
]
ORDER = tuple(binding.action for binding in BINDINGS if isinstance(binding, Binding))
ACTIONS = frozenset(action.partition("(")[0] for action in ORDER)
