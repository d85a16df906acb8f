"""Initial values"""
