"""What the desk is set up with, as people fill it in: one form for each kind of setting, with its rows."""

from apps.support.editors.base import SettingForm
from apps.support.editors.forms import FORMS, RuleForm

__all__ = ["FORMS", "RuleForm", "SettingForm"]
